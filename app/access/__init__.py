"""Who asks: a credential becomes rights. It knows neither HTTP nor what is asked."""
