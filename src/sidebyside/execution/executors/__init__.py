"""What runs tasks in parallel: one interface, an engine a module, chosen by ``hydra/launcher``."""
