"""What must never be lost: database, append-only log, hash chains, key file, backup."""
