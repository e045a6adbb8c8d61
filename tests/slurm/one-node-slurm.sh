#!/usr/bin/env bash
# A real one-node Slurm cluster for the test suite: started and stopped by hand (no systemd), as root,
# listening on the loopback interface only. See usage() below; facts and reasons: docs/slurm.md.
set -euo pipefail
usage(){ cat >&2 <<U
usage: $(basename "$0") start [--acct] | stop | status | env

  start          start munged, slurmctld and slurmd; return when the node is idle
  start --acct   the same with accounting: MariaDB and slurmdbd as well (sacct then works)
  stop           cancel this user's jobs, end every daemon, remove the own links in /etc/slurm
  status         one line a daemon
  env            print the export line a client needs:  eval "\$($(basename "$0") env)"

Packages (Debian 12): slurm-wlm munge; for --acct also slurmdbd mariadb-server. Root is needed.
Partitions: cpu (default), gpu, and urgent, which preempts what runs in the others; all on the one node. The GPUs are
made up; no device is touched.

Set these on this command alone, do not export them (srun reads SLURM_GPUS as --gpus):
  SLURM_ROOT        state directory       ${TMPDIR:-/tmp}/one-node-slurm (keep it short: it holds sockets)
  SLURM_CPUS        CPUs of the node      8
  SLURM_GPUS        GPUs, at least 1      2
  SLURM_MEM_MB      memory of the node    16000
  SLURM_CTLD_PORT 16817, SLURM_D_PORT 16818, SLURM_DBD_PORT 16819, SLURM_SRUN_PORTS 16900-16999
  LINK_ETC          1 = link slurm.conf, gres.conf, cgroup.conf into /etc/slurm; 0 = do not
  SLURMD_WRAP       command put before slurmd (a second cluster beside the first)
U
}
ROOT=${SLURM_ROOT:-${TMPDIR:-/tmp}/one-node-slurm}
CPUS=${SLURM_CPUS:-8}; GPUS=${SLURM_GPUS:-2}; MEM=${SLURM_MEM_MB:-16000}   # made-up sizes
HOST=$(hostname -s)
CTLD_PORT=${SLURM_CTLD_PORT:-16817}; D_PORT=${SLURM_D_PORT:-16818}; DBD_PORT=${SLURM_DBD_PORT:-16819}
SOCK=$ROOT/munge.socket
say(){ echo "[one-node-slurm] $*" >&2; }
alive(){ [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
wait_for(){ # seconds, command...
  local end=$(( $(date +%s) + $1 )); shift
  until "$@" >/dev/null 2>&1; do [ "$(date +%s)" -lt "$end" ] || return 1; sleep 0.1; done; }

write_conf(){
  local acct="AccountingStorageType=accounting_storage/none"
  if [ "$ACCT" = 1 ]; then acct="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$DBD_PORT
AccountingStoragePass=$SOCK
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment"; fi
  cat > "$ROOT/slurm.conf" <<C
ClusterName=local
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$CTLD_PORT
SlurmdPort=$D_PORT
SrunPortRange=${SLURM_SRUN_PORTS:-16900-16999}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket=$SOCK
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool
SlurmctldPidFile=$ROOT/slurmctld.pid
SlurmdPidFile=$ROOT/slurmd.pid
SlurmctldLogFile=$ROOT/slurmctld.log
SlurmdLogFile=$ROOT/slurmd.log
SlurmctldDebug=info
SlurmdDebug=info
PlugStackConfig=$ROOT/plugstack.conf
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
# --- scheduling: cpus, memory and gres are counted; short cycles keep tests fast
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=0,batch_sched_delay=0,max_rpc_cnt=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
DefMemPerCPU=100
# a node set down stays so until it is resumed; 2 brings it back at a moment that nobody knows
ReturnToService=1
KillWait=2
CompleteWait=0
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=30
OverTimeLimit=0
MinJobAge=300
JobRequeue=1
# --- memory limit without cgroups: polled once a second, kills on RSS above --mem
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
$acct
# --- the node: sizes are made up (config_overrides); the gpus are character devices like /dev/null
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEM Gres=gpu:fake:$GPUS State=UNKNOWN
PartitionName=cpu Nodes=$HOST Default=YES MaxTime=INFINITE State=UP GraceTime=30
PartitionName=gpu Nodes=$HOST MaxTime=INFINITE State=UP GraceTime=30
PartitionName=urgent Nodes=$HOST MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
C
  # File= must name character devices. Count= without File= leaves the node INVAL; with plain files the
  # limits work but CUDA_VISIBLE_DEVICES stays empty. 1,3 is the number of /dev/null.
  local i; : > "$ROOT/gres.conf"
  for i in $(seq 0 $((GPUS-1))); do rm -f "$ROOT/fakegpu$i"; mknod "$ROOT/fakegpu$i" c 1 3; done
  echo "AutoDetect=off" >> "$ROOT/gres.conf"
  echo "NodeName=$HOST Name=gpu Type=fake File=$ROOT/fakegpu[0-$((GPUS-1))] Flags=nvidia_gpu_env" >> "$ROOT/gres.conf"
  : > "$ROOT/plugstack.conf"
  # a cgroup plugin must be named (22.05 knows no "disabled"); with linuxproc and task/none none is used
  echo "CgroupPlugin=cgroup/v1" > "$ROOT/cgroup.conf"
  # the jobstep plugin (0.6.1) takes SLURM_CONF out of the environment of its inner srun, so srun must
  # find the files at the built-in place
  if [ "${LINK_ETC:-1}" = 1 ]; then link_etc; fi
}

link_etc(){ # own links only: a file, or a live link of someone else's, is never replaced
  mkdir -p /etc/slurm; local f
  for f in slurm gres cgroup; do
    if [ -e "/etc/slurm/$f.conf" ] && [ "$(readlink "/etc/slurm/$f.conf")" != "$ROOT/$f.conf" ]; then
      say "/etc/slurm/$f.conf belongs to another cluster: not touched"; exit 1; fi
  done
  for f in slurm gres cgroup; do ln -sfn "$ROOT/$f.conf" "/etc/slurm/$f.conf"; done
}

need(){ # programs...
  local p; for p in "$@"; do command -v "$p" >/dev/null || { say "$p not found: install $PKGS"; exit 1; }; done; }

start(){
  [ "$(id -u)" = 0 ] || { say "root is needed (mknod, slurmd)"; exit 1; }
  PKGS="slurm-wlm munge"; need munged slurmctld slurmd sbatch
  if [ "$ACCT" = 1 ]; then PKGS="slurmdbd mariadb-server"; need slurmdbd mariadbd mariadb-install-db; fi
  mkdir -p "$ROOT"/{state,spool,run}; chmod 755 "$ROOT"
  write_conf
  export SLURM_CONF=$ROOT/slurm.conf
  if ! alive "$ROOT/munged.pid"; then
    [ -f "$ROOT/munge.key" ] || { dd if=/dev/urandom of="$ROOT/munge.key" bs=128 count=1 status=none; chmod 600 "$ROOT/munge.key"; }
    munged --force --key-file="$ROOT/munge.key" --socket="$SOCK" --pid-file="$ROOT/munged.pid" \
           --log-file="$ROOT/munged.log" --seed-file="$ROOT/munged.seed"
    wait_for 5 sh -c "munge -S '$SOCK' -n | unmunge -S '$SOCK'" || { say "munged did not answer"; exit 1; }
  fi
  if [ "$ACCT" = 1 ]; then start_acct; fi
  alive "$ROOT/slurmctld.pid" || slurmctld -f "$SLURM_CONF" || { say "slurmctld failed"; tail -20 "$ROOT/slurmctld.log"; exit 1; }
  wait_for 15 scontrol ping || { say "slurmctld did not come up"; tail -20 "$ROOT/slurmctld.log"; exit 1; }
  alive "$ROOT/slurmd.pid" || ${SLURMD_WRAP:-} slurmd -f "$SLURM_CONF" -N "$HOST" || { say "slurmd failed"; tail -20 "$ROOT/slurmd.log"; exit 1; }
  # what an earlier run drained, set down or rebooted is taken back
  wait_for 15 sh -c "scontrol update nodename=$HOST state=resume; sinfo -h -p cpu -o %t | grep -qx -e idle -e mix -e alloc" || { say "node did not become idle"; sinfo; tail -20 "$ROOT/slurmd.log"; exit 1; }
}

start_acct(){
  local my=$ROOT/mysql
  if ! alive "$ROOT/mariadbd.pid"; then
    [ -d "$my/mysql" ] || { mkdir -p "$my"; mariadb-install-db --no-defaults --datadir="$my" --user=root --auth-root-authentication-method=socket --skip-test-db >"$ROOT/mariadb-install.log" 2>&1; }
    setsid mariadbd --no-defaults --datadir="$my" --user=root --skip-networking --socket="$ROOT/mysql.sock" \
      --pid-file="$ROOT/mariadbd.pid" --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0 \
      >"$ROOT/mariadbd.log" 2>&1 </dev/null &
    wait_for 20 mariadb-admin --no-defaults -S "$ROOT/mysql.sock" ping || { say "mariadbd did not come up"; tail "$ROOT/mariadbd.log"; exit 1; }
    mariadb --no-defaults -S "$ROOT/mysql.sock" -e "CREATE DATABASE IF NOT EXISTS slurm_acct_db; CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct_db.* TO slurm@localhost;"
  fi
  cat > "$ROOT/slurmdbd.conf" <<C
AuthType=auth/munge
AuthInfo=socket=$SOCK
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
DbdAddr=127.0.0.1
DbdHost=$HOST
DbdPort=$DBD_PORT
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile=$ROOT/slurmdbd.log
PidFile=$ROOT/slurmdbd.pid
C
  chmod 600 "$ROOT/slurmdbd.conf"
  # slurmdbd finds the MariaDB socket through the client library's environment variable; MariaDB itself
  # has no network port (--skip-networking), so the fixed password guards nothing that can be reached
  alive "$ROOT/slurmdbd.pid" || MYSQL_UNIX_PORT="$ROOT/mysql.sock" slurmdbd
  wait_for 20 sacctmgr -n list cluster || { say "slurmdbd did not come up"; tail "$ROOT/slurmdbd.log"; exit 1; }
  sacctmgr -i add cluster local >/dev/null 2>&1 || true
  sacctmgr -i add account root cluster=local >/dev/null 2>&1 || true
}

stop_pid(){ # pidfile
  [ -s "$1" ] || return 0
  local p; p=$(cat "$1"); kill "$p" 2>/dev/null || { rm -f "$1"; return 0; }
  local n=0; while kill -0 "$p" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
  kill -9 "$p" 2>/dev/null || true; rm -f "$1"; }
stop(){
  export SLURM_CONF=$ROOT/slurm.conf
  if alive "$ROOT/slurmctld.pid"; then scancel -f -u "$(id -un)" 2>/dev/null || true; wait_for 8 sh -c '[ -z "$(squeue -h)" ]' || true; fi
  for d in slurmd slurmctld slurmdbd mariadbd munged; do stop_pid "$ROOT/$d.pid"; done
  local f; for f in slurm gres cgroup; do [ "$(readlink "/etc/slurm/$f.conf" 2>/dev/null)" = "$ROOT/$f.conf" ] && rm -f "/etc/slurm/$f.conf"; done; return 0
}
cmd=${1:-}; shift || true; ACCT=0; [ "${1:-}" = "--acct" ] && ACCT=1
case $cmd in
  start) start; say "up; export SLURM_CONF=$ROOT/slurm.conf"; SLURM_CONF=$ROOT/slurm.conf sinfo -N -o "%N %P %c %m %G %t" ;;
  stop) stop ;;
  status) for d in munged mariadbd slurmdbd slurmctld slurmd; do alive "$ROOT/$d.pid" && echo "$d up pid $(cat "$ROOT/$d.pid")" || echo "$d down"; done ;;
  env) echo "export SLURM_CONF=$ROOT/slurm.conf" ;;
  -h|--help|help) usage 2>&1 ;;
  *) usage; exit 2 ;;
esac
