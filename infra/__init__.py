"""Infra: where everything is put together. Floor 5: settings, command line, the local stack."""
