"""The system that the thesis compares with (section 3.2, figure 1): Jhuang et al. 2010, with an SVM-HMM on top."""
