"""Who runs lanes: `embedded`, in this process."""
