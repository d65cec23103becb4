"""Automations: triggers that submit renders or notify their owner."""
