"""From a folder of videos to the table of clips; obtaining the videos."""
