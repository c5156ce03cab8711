"""What is proposed for a data set that is looked at for the first time: names of classes, columns, splits and sizes."""
