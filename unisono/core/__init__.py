"""What every floor above stands on."""
