// A disk between a node and its files.
//
// Loaded into the node's process by LD_PRELOAD. It does not replace functions of libc: sled and std call libc, rustix makes its system calls
// itself, and whatever is linked tomorrow may do either. Instead a seccomp filter turns every system call that can change or read a file into
// SIGSYS, unless the call comes from `gate` below. The handler decides, makes the call through the gate, and puts its answer where the caller
// expects it. So nothing that the process does can pass by; a call that could change a file in a way that is not modelled here ends the process.
//
// For the folder LEASEHOLD_DISK_ROOT (a canonical path), and for no other:
//   - LEASEHOLD_DISK_CONTROL names a file of rules, read again before every call: which calls fail, and how (see `Rule`).
//   - LEASEHOLD_DISK_TRACE names a file outside the folder, to which every change is appended in the order in which the changes were made,
//     with the bytes that were written, and every sync that was answered (see `Record`). What a disk owes is decided by whoever reads it.
//
// The node under it must start no other program: the filter would go with it, and the gate would not.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

// The only place from which the calls in question are let through. `gate_end` is where the kernel says that the call came from.
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".text\n.globl gate\n.hidden gate\n.hidden gate_end\n.type gate,@function\n"
        "gate: mov %rdi,%rax\n mov %rsi,%rdi\n mov %rdx,%rsi\n mov %rcx,%rdx\n mov %r8,%r10\n mov %r9,%r8\n mov 8(%rsp),%r9\n syscall\n"
        ".globl gate_end\ngate_end: ret\n");
#define NUMBER(c) ((long)(c)->uc_mcontext.gregs[REG_RAX])
#define ARGUMENTS(c)                                                                                                   \
    { (c)->uc_mcontext.gregs[REG_RDI], (c)->uc_mcontext.gregs[REG_RSI], (c)->uc_mcontext.gregs[REG_RDX],               \
      (c)->uc_mcontext.gregs[REG_R10], (c)->uc_mcontext.gregs[REG_R8], (c)->uc_mcontext.gregs[REG_R9] }
#define ANSWER(c, value) ((c)->uc_mcontext.gregs[REG_RAX] = (value))
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".text\n.globl gate\n.hidden gate\n.hidden gate_end\n.type gate,%function\n"
        "gate: mov x8,x0\n mov x0,x1\n mov x1,x2\n mov x2,x3\n mov x3,x4\n mov x4,x5\n mov x5,x6\n svc #0\n"
        ".globl gate_end\ngate_end: ret\n");
#define NUMBER(c) ((long)(c)->uc_mcontext.regs[8])
#define ARGUMENTS(c)                                                                                                   \
    { (c)->uc_mcontext.regs[0], (c)->uc_mcontext.regs[1], (c)->uc_mcontext.regs[2],                                    \
      (c)->uc_mcontext.regs[3], (c)->uc_mcontext.regs[4], (c)->uc_mcontext.regs[5] }
#define ANSWER(c, value) ((c)->uc_mcontext.regs[0] = (value))
#else
#error "the layer knows x86_64 and aarch64"
#endif

long gate(long number, long a, long b, long c, long d, long e, long f);
extern const char gate_end[];

// Answers of system calls are -errno; errno itself is the caller's and is never touched.
#define CALL(number, ...) CALL_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...) gate(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

enum { PATH = 4096, RULES = 64, RULE_TEXT = 8192, PIECES = 1024 };

static char root[PATH];
static size_t root_len;
static int trace = -1;
static char control[PATH];
static unsigned long matched[RULES];
static uint64_t syncs;
// Held while a change is made and noted, so that the trace has the order that the files have. Never held during a sync.
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

_Noreturn static void end(const char *why, long number) {
    char line[256];
    int len = snprintf(line, sizeof line, "disk layer: %s (system call %ld)\n", why, number);
    CALL(SYS_write, 2, line, len);
    CALL(SYS_exit_group, 99);
    __builtin_trap();
}

// ---- the trace ----------------------------------------------------------------------------------------------------------------------

enum Op { CREATE = 1, MKDIR, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, RMDIR, RANGE, FAULT };

// What stands before the name, the other name and the data of each change. Little-endian, as the machines that the layer knows are.
struct Record {
    uint32_t magic, op;
    uint64_t inode, a, b;
    uint32_t name_len, other_len;
    uint64_t data_len;
};

// Appends a record; `pieces` hold data_len bytes or more.
static void note(enum Op op, uint64_t inode, uint64_t a, uint64_t b, const char *name, const char *other, const struct iovec *pieces,
                 size_t count, uint64_t data_len) {
    if (trace < 0) return;
    struct Record record = {0x4b53444c, op, inode, a, b, (uint32_t)strlen(name), (uint32_t)strlen(other), data_len};
    struct iovec parts[PIECES + 3] = {{&record, sizeof record}, {(void *)name, record.name_len}, {(void *)other, record.other_len}};
    size_t used = 3;
    for (size_t piece = 0; piece < count && data_len > 0; piece++) {
        size_t len = pieces[piece].iov_len < data_len ? pieces[piece].iov_len : data_len;
        parts[used++] = (struct iovec){pieces[piece].iov_base, len};
        data_len -= len;
    }
    for (size_t at = 0; at < used;) {
        long done = CALL(SYS_writev, trace, parts + at, used - at);
        if (done <= 0) end("the trace cannot be written", SYS_writev);
        for (; at < used && (size_t)done >= parts[at].iov_len; at++) done -= parts[at].iov_len;
        if (at < used) parts[at] = (struct iovec){(char *)parts[at].iov_base + done, parts[at].iov_len - done};
    }
}

// ---- which file -----------------------------------------------------------------------------------------------------------------------

// The name below the root of an absolute path, or NULL if it is elsewhere. The root itself is "".
static const char *below(const char *path) {
    if (root_len == 0 || strncmp(path, root, root_len) != 0) return NULL;
    if (path[root_len] == '/') return path + root_len + 1;
    return path[root_len] == 0 ? path + root_len : NULL;
}

static int link_of(long fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", (int)fd);
    long len = CALL(SYS_readlinkat, AT_FDCWD, link, path, PATH - 1);
    if (len < 0) return 0;
    path[len] = 0;
    return 1;
}

static const char *name_of(long fd, char *path) { return link_of(fd, path) ? below(path) : NULL; }

// What `at` and `name` together name. Names are taken as they are written: the root is canonical, and the node makes no links in it.
static const char *named(long at, const char *name, char *path) {
    if (name == NULL) return NULL;
    if (name[0] == '/') {
        snprintf(path, PATH, "%s", name);
    } else {
        char base[PATH];
        if ((int)at == AT_FDCWD) {
            if (CALL(SYS_getcwd, base, sizeof base) < 0) return NULL;
        } else if (!link_of(at, base)) {
            return NULL;
        }
        if (snprintf(path, PATH, "%s/%s", base, name) >= PATH) return NULL;
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') path[--len] = 0;
    return below(path);
}

static int status(long fd, struct stat *found) { return CALL(SYS_fstat, fd, found) == 0; }

static int exists(const char *path, struct stat *found) {
    return CALL(SYS_newfstatat, AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW) == 0;
}

// ---- what fails -----------------------------------------------------------------------------------------------------------------------

// One line of the control file: `<number> <call> <nth> <how> <errno> <pattern>`. The nth call that matches fails with `errno`; with `how`
// "once" that one alone, with "on" all from there on, with "half" a write puts half of its bytes down first and all after it fail. Calls are
// write, sync (fsync and fdatasync), range, create, rename, truncate, read, open, unlink, mkdir; `grow` is a write beyond the end or a new name,
// which is what a full disk refuses. The pattern is a shell's, on the name below the root; `*` also spans slashes.
struct Rule {
    unsigned number;
    char call[16], how[8];
    unsigned long nth;
    int code;
    char pattern[256];
};

// Whether this call fails: its errno, or 0. `half` is set where half of a write goes down first.
static int fails(const char *call, const char *also, const char *name, int *half) {
    char text[RULE_TEXT];
    if (control[0] == 0) return 0;
    long fd = CALL(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    long len = CALL(SYS_pread64, fd, text, sizeof text - 1, 0);
    CALL(SYS_close, fd);
    text[len < 0 ? 0 : len] = 0;
    int code = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        struct Rule rule;
        if (sscanf(line, "%u %15s %lu %7s %d %255s", &rule.number, rule.call, &rule.nth, rule.how, &rule.code, rule.pattern) != 6 ||
            rule.number >= RULES)
            end("a rule cannot be read", 0);
        if (strcmp(rule.call, call) != 0 && (also == NULL || strcmp(rule.call, also) != 0)) continue;
        if (fnmatch(rule.pattern, name, 0) != 0) continue;
        unsigned long count = ++matched[rule.number];
        if (count < rule.nth || (count > rule.nth && strcmp(rule.how, "once") == 0)) continue;
        *half = count == rule.nth && strcmp(rule.how, "half") == 0;
        note(FAULT, 0, rule.number, (uint64_t)rule.code, name, call, NULL, 0, 0);
        code = rule.code;
    }
    return code;
}

static int refused(const char *call, const char *also, const char *name) {
    int half = 0;
    return fails(call, also, name, &half);
}

// ---- the calls --------------------------------------------------------------------------------------------------------------------------

static int enter(void) { return pthread_mutex_lock(&turn); }

static void leave(int *held) {
    (void)held;
    pthread_mutex_unlock(&turn);
}

// Takes the turn until the end of the block. Only calls about the folder take it: others may block for as long as they like.
#define TURN() __attribute__((cleanup(leave), unused)) int held = enter()

static long opens(long number, long *args, long at, const char *given, long flags) {
    char path[PATH];
    struct stat before, after;
    const char *name = named(at, given, path);
    if (name == NULL) return CALL(number, args[0], args[1], args[2], args[3]);
    TURN();
    int there = exists(path, &before), makes = (flags & O_CREAT) != 0 && !there;
    if ((flags & O_TMPFILE) == O_TMPFILE) end("a file without a name is not modelled", number);
    int code = makes ? refused("create", "grow", name) : refused("open", NULL, name);
    if (code != 0) return -code;
    long fd = CALL(number, args[0], args[1], args[2], args[3]);
    if (fd >= 0 && makes && status(fd, &after)) note(CREATE, after.st_ino, 0, 0, name, "", NULL, 0, 0);
    if (fd >= 0 && there && (flags & O_TRUNC) != 0) note(TRUNCATE, before.st_ino, 0, 0, name, "", NULL, 0, 0);
    return fd;
}

// A write of any kind: `offset` is -1 where the file's own position counts.
static long writes(long number, long *args, const struct iovec *pieces, size_t count, off_t offset) {
    char path[PATH];
    struct stat found;
    const char *name = name_of(args[0], path);
    if (name == NULL) return gate(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    TURN();
    if (!status(args[0], &found) || !S_ISREG(found.st_mode)) end("a write to what is no file", number);
    if (count > PIECES) end("a write of too many pieces", number);
    size_t len = 0;
    for (size_t piece = 0; piece < count; piece++) len += pieces[piece].iov_len;
    off_t from = offset >= 0 ? offset : CALL(SYS_lseek, args[0], 0, SEEK_CUR);
    if (offset < 0 && (CALL(SYS_fcntl, args[0], F_GETFL) & O_APPEND) != 0) from = found.st_size;
    int half = 0, code = fails("write", from + (off_t)len > found.st_size ? "grow" : NULL, name, &half);
    long done;
    if (code != 0 && !(half && count > 0 && pieces[0].iov_len > 1)) return -code;
    if (code != 0) {
        size_t some = pieces[0].iov_len / 2;
        done = offset >= 0 ? CALL(SYS_pwrite64, args[0], pieces[0].iov_base, some, offset) : CALL(SYS_write, args[0], pieces[0].iov_base, some);
    } else {
        done = gate(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    }
    if (done > 0) note(WRITE, found.st_ino, (uint64_t)from, 0, name, "", pieces, count, (uint64_t)done);
    return done;
}

// What was changed before the sync began is durable once it is answered, and nothing else is: others write meanwhile.
static long synced(long number, long *args) {
    char path[PATH];
    struct stat found;
    const char *name = name_of(args[0], path);
    if (name == NULL || !status(args[0], &found)) return CALL(number, args[0]);
    uint64_t mine;
    {
        TURN();
        mine = ++syncs;
        int code = refused("sync", NULL, name);
        if (code != 0) return -code;
        note(SYNC_BEGIN, found.st_ino, mine, S_ISDIR(found.st_mode), name, "", NULL, 0, 0);
    }
    long done = CALL(number, args[0]);
    TURN();
    if (done == 0) note(SYNC_END, found.st_ino, mine, S_ISDIR(found.st_mode), name, "", NULL, 0, 0);
    return done;
}

static long renames(long number, long *args, long from_at, const char *from, long to_at, const char *to) {
    char old[PATH], new[PATH];
    struct stat found;
    const char *name = named(from_at, from, old), *other = named(to_at, to, new);
    if (name == NULL && other == NULL) return CALL(number, args[0], args[1], args[2], args[3], args[4]);
    if (name == NULL || other == NULL) end("a rename across the folder's edge", number);
    TURN();
#ifdef SYS_renameat2
    if (number == SYS_renameat2 && args[4] != 0) end("a rename with flags is not modelled", number);
#endif
    int code = refused("rename", NULL, other);
    if (code != 0) return -code;
    if (!exists(old, &found)) return -ENOENT;
    long done = CALL(number, args[0], args[1], args[2], args[3], args[4]);
    if (done == 0) note(RENAME, found.st_ino, 0, 0, name, other, NULL, 0, 0);
    return done;
}

static long removes(long number, long *args, long at, const char *given, int folder) {
    char path[PATH];
    struct stat found;
    const char *name = named(at, given, path);
    if (name == NULL) return CALL(number, args[0], args[1], args[2]);
    TURN();
    if (!exists(path, &found)) return -ENOENT;
    int code = refused("unlink", NULL, name);
    if (code != 0) return -code;
    long done = CALL(number, args[0], args[1], args[2]);
    if (done == 0) note(folder ? RMDIR : UNLINK, found.st_ino, 0, 0, name, "", NULL, 0, 0);
    return done;
}

static long makes_folder(long number, long *args, long at, const char *given) {
    char path[PATH];
    struct stat found;
    const char *name = named(at, given, path);
    if (name == NULL) return CALL(number, args[0], args[1], args[2]);
    TURN();
    if (exists(path, &found)) return -EEXIST;
    int code = refused("mkdir", "grow", name);
    if (code != 0) return -code;
    long done = CALL(number, args[0], args[1], args[2]);
    if (done == 0 && exists(path, &found)) note(MKDIR, found.st_ino, 0, 0, name, "", NULL, 0, 0);
    return done;
}

// A call that is passed on, unless it is about a file of the folder and may fail by a rule.
static long ruled(long number, long *args, const char *call, enum Op op) {
    char path[PATH];
    struct stat found;
    const char *name = name_of(args[0], path);
    if (name == NULL) return gate(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    TURN();
    int code = refused(call, NULL, name);
    if (code != 0) return -code;
    long done = gate(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (done == 0 && op != 0 && status(args[0], &found))
        note(op, found.st_ino, (uint64_t)args[1], (uint64_t)args[2], name, "", NULL, 0, 0);
    return done;
}

// Calls that change files in ways that the trace does not know: they may be made elsewhere, never in the folder.
static long foreign(long number, long *args, const char *first, const char *second) {
    if (first != NULL || second != NULL) end("a call that is not modelled", number);
    return gate(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static long decide(long number, long *args) {
    char path[PATH], other[PATH];
    switch (number) {
    case SYS_openat: return opens(number, args, args[0], (const char *)args[1], args[2]);
    case SYS_write:
    case SYS_pwrite64: {
        struct iovec all = {(void *)args[1], (size_t)args[2]};
        return writes(number, args, &all, 1, number == SYS_write ? -1 : args[3]);
    }
    case SYS_writev: return writes(number, args, (const struct iovec *)args[1], (size_t)args[2], -1);
    case SYS_pwritev: return writes(number, args, (const struct iovec *)args[1], (size_t)args[2], args[3]);
    case SYS_sync_file_range: return ruled(number, args, "range", RANGE);
    case SYS_ftruncate: return ruled(number, args, "truncate", TRUNCATE);
    case SYS_read:
    case SYS_readv:
    case SYS_pread64: return ruled(number, args, "read", 0);
#ifdef SYS_open
    case SYS_open: return opens(number, args, AT_FDCWD, (const char *)args[0], args[1]);
    case SYS_creat: return opens(number, args, AT_FDCWD, (const char *)args[0], O_CREAT | O_TRUNC | O_WRONLY);
    case SYS_rename: return renames(number, args, AT_FDCWD, (const char *)args[0], AT_FDCWD, (const char *)args[1]);
    case SYS_unlink: return removes(number, args, AT_FDCWD, (const char *)args[0], 0);
    case SYS_rmdir: return removes(number, args, AT_FDCWD, (const char *)args[0], 1);
    case SYS_mkdir: return makes_folder(number, args, AT_FDCWD, (const char *)args[0]);
    case SYS_link: return foreign(number, args, named(AT_FDCWD, (const char *)args[0], path), named(AT_FDCWD, (const char *)args[1], other));
    case SYS_symlink: return foreign(number, args, named(AT_FDCWD, (const char *)args[1], path), NULL);
#endif
#ifdef SYS_renameat
    case SYS_renameat:
#endif
    case SYS_renameat2: return renames(number, args, args[0], (const char *)args[1], args[2], (const char *)args[3]);
    case SYS_unlinkat: return removes(number, args, args[0], (const char *)args[1], (args[2] & AT_REMOVEDIR) != 0);
    case SYS_mkdirat: return makes_folder(number, args, args[0], (const char *)args[1]);
    case SYS_linkat: return foreign(number, args, named(args[0], (const char *)args[1], path), named(args[2], (const char *)args[3], other));
    case SYS_symlinkat: return foreign(number, args, named(args[1], (const char *)args[2], path), NULL);
    case SYS_openat2: return foreign(number, args, named(args[0], (const char *)args[1], path), NULL);
    case SYS_truncate: return foreign(number, args, named(AT_FDCWD, (const char *)args[0], path), NULL);
    case SYS_pwritev2:
    case SYS_preadv2:
    case SYS_fallocate:
    case SYS_syncfs: return foreign(number, args, name_of(args[0], path), NULL);
    case SYS_sendfile: return foreign(number, args, name_of(args[0], path), NULL);
    case SYS_splice:
    case SYS_copy_file_range: return foreign(number, args, name_of(args[2], path), NULL);
    case SYS_mmap: return foreign(number, args, name_of(args[4], path), NULL);
    default: end("a call that is not modelled", number);
    }
}

static void caught(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    ucontext_t *caller = context;
    long number = NUMBER(caller), args[6] = ARGUMENTS(caller);
    long answer = number == SYS_fsync || number == SYS_fdatasync ? synced(number, args) : decide(number, args);
    ANSWER(caller, answer);
}

// ---- the filter -------------------------------------------------------------------------------------------------------------------------

static const int CAUGHT[] = {
#ifdef SYS_open
    SYS_open, SYS_creat, SYS_rename, SYS_unlink, SYS_rmdir, SYS_mkdir, SYS_link, SYS_symlink,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
    SYS_openat, SYS_openat2, SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2, SYS_read, SYS_readv, SYS_pread64, SYS_preadv,
    SYS_preadv2, SYS_fsync, SYS_fdatasync, SYS_sync_file_range, SYS_syncfs, SYS_sync, SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_renameat2,
    SYS_unlinkat, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_sendfile, SYS_splice, SYS_copy_file_range, SYS_io_submit, SYS_io_uring_setup};

enum { KINDS = sizeof CAUGHT / sizeof CAUGHT[0] };

#define LOW(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

static int filtered(void) {
    uint64_t from = (uint64_t)gate_end;
    struct sock_filter filter[32 + 2 * KINDS] = {
        LOW(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
        LOW(instruction_pointer), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)from, 0, 3),
        HIGH(instruction_pointer), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(from >> 32), 0, 1), RETURN(SECCOMP_RET_ALLOW),
        LOW(nr),
        // A file mapped to be written through memory; others are read, or are nobody else's.
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 5),
        LOW(args[2]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 2),
        LOW(args[3]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 1, 0), RETURN(SECCOMP_RET_ALLOW), LOW(nr),
        // Another numbering of the calls of the same machine (x32).
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x40000000, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1), RETURN(SECCOMP_RET_TRAP),
    };
    size_t len = 20;
    for (size_t kind = 0; kind < KINDS; kind++) {
        filter[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CAUGHT[kind], 0, 1);
        filter[len++] = (struct sock_filter)RETURN(SECCOMP_RET_TRAP);
    }
    filter[len++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)len, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("LEASEHOLD_DISK_ROOT"), *rules = getenv("LEASEHOLD_DISK_CONTROL"), *to = getenv("LEASEHOLD_DISK_TRACE");
    if (folder == NULL) return;
    root_len = strlen(folder);
    if (root_len >= PATH || folder[0] != '/' || (rules != NULL && strlen(rules) >= PATH)) end("its folder or its rules have no usable path", 0);
    memcpy(root, folder, root_len);
    if (rules != NULL) memcpy(control, rules, strlen(rules));
    if (to != NULL) {
        trace = (int)CALL(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (trace < 0) end("the trace cannot be opened", SYS_openat);
    }
    // Every other signal waits while a call is made: its handler could make one too.
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) != 0 || !filtered()) end("the system lets nobody catch system calls (seccomp)", 0);
}
