"""Agreement of readers on categories: kappas, Gwet's coefficients, Krippendorff's alpha."""
