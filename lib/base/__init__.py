"""What every room needs: paths, files, problems, emotions, arrays, processes."""
