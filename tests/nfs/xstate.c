/* User-mode Linux 6.1 keeps a processor state of fixed size. A kernel on a processor with AMX takes
 * back no less than the whole of it, and answers EFAULT. Preloaded, this fills up what is missing
 * with what is there. Where nothing is missing it changes nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PEEKTEXT = 1, PEEKUSER = 3, GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202 };

static long set_state(int process, struct iovec *given) {
    static char whole[65536];
    struct iovec state = {whole, sizeof whole};
    long result = syscall(SYS_ptrace, GETREGSET, process, XSTATE, &state);
    if (result < 0) return result;
    if (given->iov_len >= state.iov_len) return syscall(SYS_ptrace, SETREGSET, process, XSTATE, given);
    memcpy(whole, given->iov_base, given->iov_len);
    return syscall(SYS_ptrace, SETREGSET, process, XSTATE, &state);
}

long ptrace(int request, ...) {
    va_list rest;
    va_start(rest, request);
    int process = va_arg(rest, int);
    void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);
    if (request == SETREGSET && (long)address == XSTATE) return set_state(process, data);
    if (request >= PEEKTEXT && request <= PEEKUSER) {
        /* The system call stores the word; the C library's function returns it. */
        long word = 0, result = syscall(SYS_ptrace, request, process, address, &word);
        if (result < 0) return result;
        errno = 0;
        return word;
    }
    return syscall(SYS_ptrace, request, process, address, data);
}
