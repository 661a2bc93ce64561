"""A BERT encoder that classifies the sentiment of texts (FinBERT), read from a folder of safetensors and vocabulary."""
