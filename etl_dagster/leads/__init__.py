"""What a lead is: its phones, its verdicts, the campaigns it comes from."""
