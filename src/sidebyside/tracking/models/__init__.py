"""Trained networks as models of MLflow's: logged, registered, served."""
