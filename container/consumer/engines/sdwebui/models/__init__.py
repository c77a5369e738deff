"""The models that an SD Web UI task names."""
