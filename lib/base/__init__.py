"""What all other packages use: paths, files, problems, emotions, arrays, processes."""
