"""Triggers that submit renders or tell their owner something."""
