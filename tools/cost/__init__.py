"""What a deployment costs, from one table of prices, the settings and the template."""
