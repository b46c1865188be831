/* A file layer that records what is done below one folder, and makes a chosen call fail or be the last one.
 *
 * A seccomp filter makes each system call that changes files trap into a handler of this process, which counts it, writes
 * it to a log and carries it out, or does not. So nothing goes past it: neither Python and SQLite, which call libc, nor
 * tantivy, which renames without libc. It is armed in a child that was forked for one trial, and cannot be taken off.
 * From the log tests/trust/disk.py makes the state of a disk after a crash at any of the calls. Linux on x86-64.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', SYNC = 's', RENAME = 'r', LINK = 'l', UNLINK = 'u', MKDIR = 'm',
       NOTE = 'n', FAILED = 'f' };
enum { NEVER, CRASH, ONCE, ALWAYS, BUDGET };

#define COOKIE 0x5eed1e55 /* the sixth argument of a call that the filter lets pass: none of these calls has six */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char prefix[PATH_MAX];
static size_t prefix_length;
static int log_fd = -1, how, error_number, syncs_only;
static long count, at;

static long raw(long number, long a, long b, long c, long d, long e) {
    long done = syscall(number, a, b, c, d, e, (long)COOKIE);
    return done < 0 ? -errno : done;
}

static void out(const void *data, size_t size) {
    if (size) raw(SYS_write, log_fd, (long)data, size, 0, 0);
}

static void record(char kind, uint64_t inode, uint64_t offset, const void *a, size_t a_size, const char *b) {
    struct __attribute__((packed)) { char kind; uint64_t inode, offset; uint32_t a, b; } head = {
        kind, inode, offset, (uint32_t)a_size, b ? (uint32_t)strlen(b) : 0};
    if (log_fd < 0) return;
    out(&head, sizeof head);
    out(a, a_size);
    out(b, head.b);
}

static int below(const char *path) {
    return !strncmp(path, prefix, prefix_length) && (path[prefix_length] == '/' || !path[prefix_length]);
}

/* The path of a descriptor, where it is below the folder. */
static int path_of(int fd, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = 0;
    return size > 0 && below(path);
}

static const char *whole(long folder, const char *path, char *room) {
    if (path[0] == '/' || folder == AT_FDCWD) return path;
    path_of((int)folder, room);
    size_t size = strlen(room);
    snprintf(room + size, PATH_MAX - size, "/%s", path);
    return room;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

/* Count a call; whether it is to fail. */
static int fails(int is_sync, long bytes) {
    if (how == BUDGET) {
        if (bytes <= at) return at -= bytes, 0;
        return bytes > 0;
    }
    if (syncs_only && !is_sync) return 0;
    count++;
    if (how == CRASH && count == at) _exit(86);
    return (how == ONCE && count == at) || (how == ALWAYS && count >= at);
}

static long opened(long folder, const char *path, long flags, long mode) {
    struct stat found;
    char room[PATH_MAX];
    const char *name = whole(folder, path, room);
    if (!below(name) || !(flags & (O_CREAT | O_TRUNC)))
        return raw(SYS_openat, folder, (long)path, flags, mode, 0);
    int fresh = stat(name, &found) != 0;
    if ((fresh || flags & O_TRUNC) && fails(0, 0)) return -error_number;
    long fd = raw(SYS_openat, folder, (long)path, flags, mode, 0);
    if (fd >= 0 && fresh) record(CREATE, inode_of(fd), 0, name, strlen(name), NULL);
    else if (fd >= 0 && flags & O_TRUNC) record(TRUNCATE, inode_of(fd), 0, NULL, 0, NULL);
    return fd;
}

static long written(long number, int fd, const void *data, size_t size, long offset) {
    struct stat found;
    char path[PATH_MAX];
    if (!path_of(fd, path)) return raw(number, fd, (long)data, size, offset, 0);
    if (fails(0, size)) return -error_number;
    long place = offset;
    if (number == SYS_write)
        place = fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &found) ? found.st_size : lseek(fd, 0, SEEK_CUR);
    long done = raw(number, fd, (long)data, size, offset, 0);
    if (done > 0) record(WRITE, inode_of(fd), place, data, done, NULL);
    return done;
}

static long gathered(int fd, const struct iovec *parts, int number) {
    long all = 0;
    for (int i = 0; i < number; i++) {
        long done = written(SYS_write, fd, parts[i].iov_base, parts[i].iov_len, 0);
        if (done < 0) return all ? all : done;
        all += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return all;
}

static long truncated(int fd, long length) {
    char path[PATH_MAX];
    int is_watched = path_of(fd, path);
    if (is_watched && fails(0, 0)) return -error_number;
    long done = raw(SYS_ftruncate, fd, length, 0, 0, 0);
    if (is_watched && !done) record(TRUNCATE, inode_of(fd), length, NULL, 0, NULL);
    return done;
}

static long synced(long number, int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return raw(number, fd, 0, 0, 0, 0);
    long done = fails(1, 0) ? -error_number : raw(number, fd, 0, 0, 0, 0);
    record(done ? FAILED : SYNC, inode_of(fd), 0, path, strlen(path), NULL);
    return done;
}

/* A change of names, each in a folder of its own; `to` is NULL where there is only one. */
static long named(char kind, long from_folder, const char *from, long to_folder, const char *to, long number, long a,
                  long b, long c, long d, long e) {
    char one[PATH_MAX], two[PATH_MAX];
    from = whole(from_folder, from, one);
    to = to ? whole(to_folder, to, two) : NULL;
    int is_watched = below(to ? to : from);
    if (is_watched && fails(0, 0)) return -error_number;
    long done = raw(number, a, b, c, d, e);
    if (is_watched && !done) record(kind, 0, 0, from, strlen(from), to);
    return done;
}

static long handled(long number, long a, long b, long c, long d, long e) {
    switch (number) {
    case SYS_open: return opened(AT_FDCWD, (char *)a, b, c);
    case SYS_openat: return opened((int)a, (char *)b, c, d);
    case SYS_creat: return opened(AT_FDCWD, (char *)a, O_CREAT | O_WRONLY | O_TRUNC, b);
    case SYS_write: case SYS_pwrite64: return written(number, (int)a, (void *)b, c, d);
    case SYS_writev: return gathered((int)a, (struct iovec *)b, (int)c);
    case SYS_ftruncate: return truncated((int)a, b);
    case SYS_fsync: case SYS_fdatasync: return synced(number, (int)a);
    case SYS_rename: return named(RENAME, AT_FDCWD, (char *)a, AT_FDCWD, (char *)b, number, a, b, 0, 0, 0);
    case SYS_renameat: case SYS_renameat2: return named(RENAME, (int)a, (char *)b, (int)c, (char *)d, number, a, b, c, d, e);
    case SYS_link: return named(LINK, AT_FDCWD, (char *)a, AT_FDCWD, (char *)b, number, a, b, 0, 0, 0);
    case SYS_linkat: return named(LINK, (int)a, (char *)b, (int)c, (char *)d, number, a, b, c, d, e);
    case SYS_unlink: case SYS_rmdir: return named(UNLINK, AT_FDCWD, (char *)a, 0, NULL, number, a, 0, 0, 0, 0);
    case SYS_unlinkat: return named(UNLINK, (int)a, (char *)b, 0, NULL, number, a, b, c, 0, 0);
    case SYS_mkdir: return named(MKDIR, AT_FDCWD, (char *)a, 0, NULL, number, a, b, 0, 0, 0);
    case SYS_mkdirat: return named(MKDIR, (int)a, (char *)b, 0, NULL, number, a, b, c, 0, 0);
    default: return -ENOTSOCK; /* sendfile: the caller copies by hand then, where it can be seen */
    }
}

static void trapped(int signal, siginfo_t *info, void *context) {
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    int before = errno;
    (void)signal;
    pthread_mutex_lock(&lock);
    r[REG_RAX] = handled(info->si_syscall, r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8]);
    pthread_mutex_unlock(&lock);
    errno = before;
}

#define TRAP(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

/* Watch a folder from now on, counting the calls (or only the fsyncs): the one numbered `number` is the last that the
 * process makes, or fails, or is the first to fail; with BUDGET, `number` is how many bytes there is room for.
 * Returns 0, or an errno. */
int pincite_arm(const char *folder, const char *log, int mode, long number, int error, int syncs) {
    struct sock_filter filter[] = {
        LOAD(args[5]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, COOKIE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        LOAD(nr),
        TRAP(open), TRAP(openat), TRAP(creat), TRAP(write), TRAP(pwrite64), TRAP(writev), TRAP(ftruncate), TRAP(fsync),
        TRAP(fdatasync), TRAP(rename), TRAP(renameat), TRAP(renameat2), TRAP(link), TRAP(linkat), TRAP(unlink),
        TRAP(rmdir), TRAP(unlinkat), TRAP(mkdir), TRAP(mkdirat), TRAP(sendfile),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER};
    prefix_length = strlen(strncpy(prefix, folder, sizeof prefix - 1));
    log_fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    how = mode, at = number, error_number = error, syncs_only = syncs, count = 0;
    if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? errno : 0;
}

/* A line of the caller's own in the log: what it has told whom. */
void pincite_note(const char *words) {
    pthread_mutex_lock(&lock);
    record(NOTE, 0, 0, words, strlen(words), NULL);
    pthread_mutex_unlock(&lock);
}

/* How many calls there were. */
long pincite_count(void) { return count; }
