"""Which stars count as accreted: by a simulation's merger history, or by the traditional selections."""
