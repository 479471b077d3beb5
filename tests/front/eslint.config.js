import js from "@eslint/js";
import globals from "globals";

const rules = {
  ...js.configs.recommended.rules,
  eqeqeq: "error",
  "no-shadow": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
};

export default [
  { ignores: ["node_modules/"] },
  { files: ["joined/*.js"], languageOptions: { globals: globals.browser }, rules },
  { files: ["*.js"], languageOptions: { globals: { ...globals.node, ...globals.browser } }, rules },
];
