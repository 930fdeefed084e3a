# Sourced: a Slurm of its own on this machine, one controller and two nodes of two CPUs, with ports, keys and folders of its
# own, beside any other; jobs of two labs have different numbers, by which Open MPI names files. lab_start FOLDER, lab_stop. Needs
# root, slurmctld, slurmd, munged.
lab_missing() { # why there can be none here; nothing where there can
    [ "$(id -u)" = 0 ] || { echo "not root"; return; }
    local program
    for program in slurmctld slurmd munged sbatch; do
        command -v $program >/dev/null || PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "no $program"; return; }
    done
    unshare --uts --mount true 2>/dev/null || echo "no namespaces"
}

lab_config() {
    cat >"$lab/slurm.conf" <<END
ClusterName=faults
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$lab_port
FirstJobId=$((lab_port * 1000))
AuthType=auth/munge
AuthInfo=socket=$lab/munge.socket
CredType=cred/munge
StateSaveLocation=$lab/state
SlurmdSpoolDir=$lab/spool-%n
SlurmctldPidFile=$lab/slurmctld.pid
SlurmdPidFile=$lab/slurmd-%n.pid
SlurmctldLogFile=$lab/slurmctld.log
SlurmdLogFile=$lab/slurmd-%n.log
TmpFS=$lab/tmp-%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=5,sched_interval=5
KillWait=30
SlurmdTimeout=$lab_patience
ReturnToService=2
NodeName=n1 NodeHostname=n1 NodeAddr=127.0.0.1 Port=$((lab_port + 1)) CPUs=2 RealMemory=2000
NodeName=n2 NodeHostname=n2 NodeAddr=127.0.0.1 Port=$((lab_port + 2)) CPUs=2 RealMemory=2000
PartitionName=usual Nodes=ALL Default=YES PriorityTier=1 MaxTime=60 State=UP
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF MaxTime=60 State=UP
END
}

# NAME: starts its slurmd, in namespaces of Linux: its host has that name, and its ranks share memory with those of no other node
lab_node() {
    mkdir -p "$lab/spool-$1" "$lab/tmp-$1"
    unshare --uts --mount bash -c 'hostname "$1" && mount -t tmpfs none /dev/shm && exec slurmd -f "$SLURM_CONF" -N "$1"' - "$1"
}

lab_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

# Three ports in a row on which nobody listens, from below those that the system hands out; labs that start at once begin the search
# at their own.
lab_free_ports() {
    local port=$((20000 + 3 * ($$ % 3000))) _
    for _ in $(seq 3000); do
        lab_listens $port || lab_listens $((port + 1)) || lab_listens $((port + 2)) || { echo $port; return; }
        port=$((20000 + (port - 20000 + 3) % 9000))
    done
}

# Seconds without an answer after which a slurmd counts as dead. One of a loaded machine is slow to answer: a case about the death
# of a node sets it lower once it has come to that.
lab_patience=300
lab_be_patient() { # SECONDS
    lab_patience=$1
    lab_config
    scontrol reconfigure
}

# Ranks that wait give way: the nodes have more CPUs than this machine.
lab_start() { # FOLDER
    lab=$1 lab_port=$(lab_free_ports)
    PATH=$PATH:/usr/sbin
    export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
    export SLURM_CONF=$lab/slurm.conf
    mkdir -p "$lab/state"
    chmod 755 "$lab"
    head -c 1024 /dev/urandom >"$lab/munge.key"
    chmod 600 "$lab/munge.key"
    munged --force --socket="$lab/munge.socket" --key-file="$lab/munge.key" --pid-file="$lab/munged.pid" \
        --log-file="$lab/munged.log" --seed-file="$lab/munge.seed" || return
    lab_config
    slurmctld -c -f "$lab/slurm.conf" && lab_node n1 && lab_node n2 || return
    local _
    for _ in $(seq 60); do
        [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = 2 ] && return 0
        sleep 1
    done
    echo "no idle nodes: $(tail -n 3 "$lab"/slurm*.log)"
    return 1
}

# lab_steps [JOB]: the processes by which this Slurm, and no other, looks after a job, or after any
lab_steps() {
    local step
    for step in $(pgrep -f "^slurmstepd: \\[${1:-[0-9]+}\\."); do
        grep -qz "^SLURM_CONF=$lab/" "/proc/$step/environ" 2>/dev/null && echo "$step"
    done
}

lab_stop() { # its own processes only, by their ids; of jobs that were put back some may be left
    local file step
    scancel --user=root 2>/dev/null
    sleep 2
    for file in "$lab"/slurmd-*.pid "$lab/slurmctld.pid" "$lab/munged.pid"; do
        [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null
    done
    sleep 1
    for step in $(lab_steps); do kill -KILL "$step" 2>/dev/null; done
}

lab_state() { scontrol show job "$1" | grep -oE 'JobState=[A-Z_]*' | cut -d= -f2; } # JOB
lab_wait() { # SECONDS COMMAND...: until it succeeds
    local end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || { echo "waited in vain for: $*"; return 1; }
        sleep 1
    done
}
