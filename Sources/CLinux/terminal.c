#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int open_inner(int master) {
    int unlocked = 0;
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return -errno;
    // By descriptor first (Linux 4.13): the path may be another file system's.
    int inner = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (inner >= 0) return inner;
    int number = el_terminal_number(master);
    if (number < 0) return number;
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    return el_open(path, O_RDWR | O_NOCTTY, 0);
}

int el_open_terminal(int *master, int *inner) {
    int outer = el_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0);
    if (outer < 0) return outer;
    int other = open_inner(outer);
    if (other < 0) {
        close(outer);
        return other;
    }
    *master = outer;
    *inner = other;
    return 0;
}

int el_terminal_number(int fd) {
    unsigned int number = 0;
    if (ioctl(fd, TIOCGPTN, &number) < 0) return -errno;
    return (int)number;
}

int el_set_window_size(int fd, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int el_window_size(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -errno;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}
