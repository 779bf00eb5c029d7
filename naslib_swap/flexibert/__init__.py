"""FlexiBERT: heterogeneous transformer encoders, scored before pre-training (extra ``[text]``)."""
