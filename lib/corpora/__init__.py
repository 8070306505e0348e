"""From a folder of videos to the table of clips; downloading the videos."""
