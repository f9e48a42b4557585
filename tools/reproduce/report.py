def write_results(setting):
    pass
