# SPDX-License-Identifier: BSD-2-Clause
"""The system calls of a container that asks for nothing special, as an OCI `linux.seccomp` value.

The set is what users of Docker and Podman are used to. Calls that only make sense with a capability come with it.
Not here: compiling and loading it (kernel/seccomp.py). A name that the host's libseccomp lacks is left out there.
"""
from __future__ import annotations

import os
import typing as t

Rule = t.Dict[str, t.Any]

EPERM, ENOSYS = 1, 38
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; the bits of CLONE_NEWTIME are clone's exit signal.
NEW_NAMESPACES = 0x7E020000
# personality(2): PER_LINUX, PER_LINUX32, each with and without UNAME26; all ones only asks.
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
PTRACE_IS_SAFE = (4, 8)  # before Linux 4.8 a tracer could change a call after the filter had seen it

# Address families 0..47 without AF_ALG (38: kernel crypto, CVE-2026-31431) and AF_VSOCK (40: reaches the hypervisor), as (mask, value).
# The kernel takes the lower 32 bits only, so plain comparisons of all 64 could be passed by with a high bit.
FAMILIES = (
    (0xFFFFFFE0, 0), (0xFFFFFFFC, 32), (0xFFFFFFFE, 36), (0xFFFFFFFF, 39), (0xFFFFFFFF, 41), (0xFFFFFFFE, 42), (0xFFFFFFFC, 44),
)

FILES = """
    access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
    file_getattr file_setattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
    ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
    inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listmount listxattr listxattrat llistxattr _llseek lremovexattr
    lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64
    preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat
    renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync
    sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write
    writev
"""
MEMORY = """
    brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal
    msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages
"""
PROCESSES = """
    capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getcpu
    getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority
    get_robust_list getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid get_thread_area gettid getuid getuid32
    ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease restart_syscall rseq rt_sigaction
    rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
    rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid
    setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid
    set_thread_area set_tid_address setuid setuid32 sigaltstack signalfd signalfd4 sigprocmask sigreturn sysinfo tgkill tkill
    ugetrlimit uname uretprobe vfork wait4 waitid waitpid
"""
TIME = """
    adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime
    timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 times
"""
COMMUNICATION = """
    accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 getpeername getrandom getsockname getsockopt io_cancel io_destroy io_getevents io_pgetevents
    io_pgetevents_time64 io_setup io_submit ipc listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
    mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd _newselect poll ppoll ppoll_time64 pselect6
    pselect6_time64 recv recvfrom recvmmsg recvmmsg_time64 recvmsg select semctl semget semop semtimedop semtimedop_time64 send
    sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair
"""
ALWAYS = (FILES, MEMORY, PROCESSES, TIME, COMMUNICATION)

WITH_CAPABILITY = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYSLOG": "syslog",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree
        open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}
TRACING = "process_vm_readv process_vm_writev ptrace"

ARM = "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"
X86 = "arch_prctl modify_ldt"
S390 = "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"
# uname -m -> the architectures whose programs it runs, and the calls that only it has.
MACHINES: t.Dict[str, t.Tuple[t.Tuple[str, ...], str]] = {
    "aarch64": (("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"), ARM),
    "armv6l": (("SCMP_ARCH_ARM",), ARM),
    "armv7l": (("SCMP_ARCH_ARM",), ARM),
    "armv8l": (("SCMP_ARCH_ARM",), ARM),
    "i386": (("SCMP_ARCH_X86",), "modify_ldt"),
    "i686": (("SCMP_ARCH_X86",), "modify_ldt"),
    "ppc64le": (("SCMP_ARCH_PPC64LE",), "swapcontext sync_file_range2"),
    "riscv64": (("SCMP_ARCH_RISCV64",), "riscv_flush_icache riscv_hwprobe"),
    "s390x": (("SCMP_ARCH_S390X", "SCMP_ARCH_S390"), S390),
    "x86_64": (("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"), X86),
}


def default_profile(
    capabilities: t.Sequence[str], *, machine: str = "", kernel: t.Optional[t.Tuple[int, int]] = None
) -> t.Dict[str, t.Any]:
    """For a container with these capabilities (CAP_* names); the host's machine and kernel unless given. Same input, same value."""
    held = set(capabilities)
    machine = machine or os.uname().machine
    architectures, special = MACHINES.get(machine, ((), ""))
    names = set(" ".join((*ALWAYS, special)).split())
    for capability in held.intersection(WITH_CAPABILITY):
        names.update(WITH_CAPABILITY[capability].split())
    if (kernel or _kernel()) >= PTRACE_IS_SAFE:
        names.update(TRACING.split())
    rules: t.List[Rule] = [{"names": sorted(names), "action": ALLOW}]
    rules += [_allow("personality", "SCMP_CMP_EQ", value) for value in PERSONALITIES]
    rules += [_allow("socket", "SCMP_CMP_MASKED_EQ", mask, value) for mask, value in FAMILIES]
    if "CAP_SYS_ADMIN" not in held:
        rules.append(_allow("clone", "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0, index=1 if machine.startswith("s390") else 0))
        # Its flags are behind a pointer, which a filter cannot follow; ENOSYS makes libraries fall back to clone.
        rules.append({"names": ["clone3"], "action": ERRNO, "errnoRet": ENOSYS})
    return {"defaultAction": ERRNO, "defaultErrnoRet": EPERM, "architectures": list(architectures), "syscalls": rules}


def _allow(name: str, op: str, value: int, value_two: int = 0, *, index: int = 0) -> Rule:
    comparison = {"index": index, "value": value, "valueTwo": value_two, "op": op}
    return {"names": [name], "action": ALLOW, "args": [comparison]}


def _kernel() -> t.Tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor.split("-")[0] if digit.isdigit()) or 0)
