version 1.0

# The only document that pman sends, always the same: a job is in the inputs.
# The order (the spec of the job) and the environment are base64, one line each, so nothing on the way can change them.

task job {
  input {
    String order
    String environment
    String folder
    String name
    Int workers
    Int cpus
    Int memory_mib
    Int memory_per_cpu_mib
    Int gpus
    Int minutes
    String partition
    String account
  }
  command <<<
    python3 "$PMAN_NODE" run <<'PMAN'
    ~{order}
    ~{environment}
    PMAN
  >>>
  # Not docker: with it Cromwell would look the image up, and run its own script inside.
  # 0 and "" mean: not asked for.
  runtime {
    pman_folder: folder
    pman_name: name
    pman_workers: workers
    pman_cpus: cpus
    pman_memory_mib: memory_mib
    pman_memory_per_cpu_mib: memory_per_cpu_mib
    pman_gpus: gpus
    pman_minutes: minutes
    pman_partition: partition
    pman_account: account
  }
}

workflow pman {
  input {
    String order
    String environment
    String folder
    String name
    Int workers
    Int cpus
    Int memory_mib
    Int memory_per_cpu_mib
    Int gpus
    Int minutes
    String partition
    String account
  }
  call job {
    input:
      order = order,
      environment = environment,
      folder = folder,
      name = name,
      workers = workers,
      cpus = cpus,
      memory_mib = memory_mib,
      memory_per_cpu_mib = memory_per_cpu_mib,
      gpus = gpus,
      minutes = minutes,
      partition = partition,
      account = account
  }
}
