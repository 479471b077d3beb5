"""What every room uses: errors, options, files that survive a kill, escaping, cancellation, optional imports."""
