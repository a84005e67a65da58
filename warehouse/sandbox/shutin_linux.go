package sandbox

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// descriptor is the path of an open file of this process.
func descriptor(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// besides is what a worker may take beside what DuckDB may: Go's heap, stacks of threads, what allocators hold back.
const besides = 512 << 20

// shutIn takes from this process what it will not need: memory beyond its share, files to write, processes, sockets, and opening
// anything. It names what this system has no means for. It cannot be undone.
func shutIn(memoryMB int) (missing []string, err error) {
	for _, limit := range []struct {
		what  string
		which int
		most  uint64
	}{
		{"memory", unix.RLIMIT_DATA, uint64(memoryMB)<<20*5/4 + besides},
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"files to write", unix.RLIMIT_FSIZE, 0},
		{"open files", unix.RLIMIT_NOFILE, 16},
	} {
		if err := unix.Setrlimit(limit.which, &unix.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return nil, fmt.Errorf("limiting %s: %w", limit.what, err)
		}
	}
	// no_new_privs is a thread's own; the filter's flag takes it to all others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	calls, err := refusedHere()
	if err == nil {
		err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionAllow,
			Syscalls:      []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: calls}},
		}})
	}
	if err != nil {
		return []string{fmt.Sprintf("a filter of system calls (%v)", err)}, nil
	}
	return nil, nil
}

// refusedCalls reach outside the process. It is a list of what is refused: what the runtimes of Go, C++ and DuckDB need of the rest
// changes with their versions, what reaches out does not.
var refusedCalls = []string{
	"open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "memfd_create", "memfd_secret",
	"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd", "kcmp",
	"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
	"rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink", "symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat",
	"truncate", "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat", "setxattr", "lsetxattr",
	"readlink", "readlinkat", "stat", "lstat", "statx", "access", "faccessat", "faccessat2", "getxattr", "lgetxattr", "getdents", "getdents64", "chdir",
	"inotify_add_watch", "fanotify_init",
	"mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "fsopen", "move_mount", "open_tree", "mount_setattr",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "keyctl", "add_key", "request_key", "init_module", "finit_module",
	"kexec_load", "kexec_file_load", "shmget", "shmat", "msgget", "mq_open", "kill", "tkill", "pidfd_send_signal", "rt_sigqueueinfo", "setrlimit",
	"setuid", "setgid", "setreuid", "setresuid", "personality", "reboot", "swapon", "sethostname", "quotactl", "acct", "syslog",
}

// refusedHere are those of them that this machine's kind has.
func refusedHere() ([]string, error) {
	here, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(refusedCalls), func(name string) bool {
		_, known := here.SyscallNames[name]
		return !known
	}), nil
}

// limitProcessor lets the worker use so many seconds of the processor's time more, in all threads. A server that lives kills it
// long before; this is for one that does not see.
func limitProcessor(seconds int) error {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CPU, &limit); err != nil {
		return err
	}
	limit.Cur = min(uint64(used.Utime.Sec+used.Stime.Sec)+uint64(seconds)+1, limit.Max)
	return unix.Setrlimit(unix.RLIMIT_CPU, &limit)
}

// onProcessorLimit does something when the processor's time is used up; by itself Go takes no notice of it.
func onProcessorLimit(do func()) {
	over := make(chan os.Signal, 1)
	signal.Notify(over, unix.SIGXCPU)
	go func() { // ends with the process
		<-over
		do()
	}()
}

// apart puts a worker into a group of its own, and has the kernel kill it when the server dies.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
