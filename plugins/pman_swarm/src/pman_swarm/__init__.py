"""The backend of pman for Docker Swarm: each job is a service that runs once."""
