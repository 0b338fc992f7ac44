/*
 * A V4L2 capture device made of a raw file, for tests: preloaded, it answers for one path, and leaves all others alone.
 *
 * It is strict where drivers trust: a buffer in the device's hands cannot be read (its mapping faults, its bytes are
 * 0xee, a fence around it is a fault), is not queued again, and nothing may be left open. A fault ends the program with
 * a line and exit code 99.
 *
 *     FAKE_V4L2_PATH     the device's path
 *     FAKE_V4L2_FILE     frames one after another without padding, in the format that will be chosen; served in a circle
 *     FAKE_V4L2_FORMATS  the fourccs that the device lists, separated by commas
 *     FAKE_V4L2_SIZE     WxH
 *     FAKE_V4L2_MULTI    1: the multi-planar API, each plane at an offset of 64 bytes
 *     FAKE_V4L2_PAD      bytes between the rows of the first plane, even
 *     FAKE_V4L2_BURST    frames that are filled at each wait; 0: none ever
 *     FAKE_V4L2_SILENT   as many openings give no frame
 *     FAKE_V4L2_SPOILT   the frame of this sequence number has its error flag
 *     FAKE_V4L2_FAIL     NAME:ERRNO:N, such as VIDIOC_QBUF:5:2: the Nth call of that name fails
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFERS 3 /* fewer than are asked for, as drivers may give */
#define PLANES 3
#define EXPORTS 64

struct plane {
    int memory;           /* a memfd, the plane's bytes */
    unsigned char *bytes; /* the device's own mapping of it */
    void *at;             /* the program's */
};

static struct {
    int fd; /* 0: not open */
    uint32_t fourcc, width, height, multi, parts, planes;
    size_t row[PLANES], rows[PLANES], stride[PLANES], length[PLANES];
    const unsigned char *frames;
    size_t frame_bytes, frame_count;
    uint32_t buffers, streaming, sequence, burst;
    struct plane plane[BUFFERS][PLANES];
    uint32_t queue[BUFFERS], queued;
    struct {
        int fd; /* 0: free */
        uint32_t index;
        int fenced;
    } exports[EXPORTS];
} device;

static void fault(const char *what)
{
    fprintf(stderr, "fake_v4l2: %s\n", what);
    _exit(99);
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? value : "";
}

/* Whether this call is the one that is to fail; errno then is the wanted one. */
static int fails(const char *name)
{
    static int calls;
    const char *wanted = setting("FAKE_V4L2_FAIL");
    size_t length = strlen(name);
    int number, nth;

    if (strncmp(wanted, name, length) != 0 || wanted[length] != ':')
        return 0;
    if (sscanf(wanted + length, ":%d:%d", &number, &nth) != 2)
        fault("FAKE_V4L2_FAIL is no NAME:ERRNO:N");
    errno = number;
    return ++calls == nth;
}

static uint32_t code(const char *fourcc)
{
    uint32_t code;

    memcpy(&code, fourcc, sizeof code);
    return code;
}

static int is(const char *fourcc)
{
    return device.fourcc == code(fourcc);
}

/* Lays a frame of the chosen format out. */
static void lay_out(void)
{
    size_t part, pad = strtoul(setting("FAKE_V4L2_PAD"), NULL, 10);
    size_t columns = (device.width + 1) / 2, rows = (device.height + 1) / 2;
    int apart = is("NM12") || is("YM12");

    device.parts = is("NV12") || is("NM12") || is("NV21") ? 2 : is("YU12") || is("YM12") ? 3 : 1;
    device.planes = apart ? device.parts : 1;
    device.frame_bytes = 0;
    memset(device.length, 0, sizeof device.length);
    for (part = 0; part < device.parts; part++) {
        size_t first = is("YUYV") || is("UYVY") ? 2 * device.width : is("RGB3") ? 3 * device.width : device.width;

        device.row[part] = part == 0 ? first : device.parts == 2 ? 2 * columns : columns;
        device.rows[part] = part == 0 ? device.height : rows;
        device.stride[part] = part == 0 || device.parts == 2 ? first + pad : (first + pad) / 2;
        device.length[apart ? part : 0] += device.stride[part] * device.rows[part];
        device.frame_bytes += device.row[part] * device.rows[part];
    }
}

static size_t data_offset(void)
{
    return device.multi ? 64 : 0;
}

static void open_file(void)
{
    int file = open(setting("FAKE_V4L2_FILE"), O_RDONLY);
    struct stat stat;
    void *at;

    if (file < 0 || fstat(file, &stat) != 0)
        fault("FAKE_V4L2_FILE cannot be opened");
    at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (at == MAP_FAILED)
        fault("FAKE_V4L2_FILE cannot be mapped");
    device.frames = at;
    device.frame_count = (size_t)stat.st_size;
}

/* Writes the next frame into the buffer. */
static void fill(uint32_t index)
{
    size_t part, row, frames = device.frame_count / device.frame_bytes;
    const unsigned char *from = device.frames + device.sequence % frames * device.frame_bytes;
    unsigned char *to = NULL;

    for (part = 0; part < device.parts; part++) {
        if (part < device.planes)
            to = device.plane[index][part].bytes + data_offset();
        for (row = 0; row < device.rows[part]; row++) {
            memcpy(to, from, device.row[part]);
            to += device.stride[part];
            from += device.row[part];
        }
    }
}

/* Gives the buffer to the device or to the program. */
static void hand_over(uint32_t index, int to_device)
{
    uint32_t plane;

    for (plane = 0; plane < device.planes; plane++) {
        struct plane *of = &device.plane[index][plane];
        size_t length = device.length[plane] + data_offset();

        if (to_device)
            memset(of->bytes, 0xee, length);
        if (of->at != NULL)
            mprotect(of->at, length, to_device ? PROT_NONE : PROT_READ);
    }
}

static int make_buffers(struct v4l2_requestbuffers *request)
{
    uint32_t index, plane;

    if (request->count > BUFFERS)
        request->count = BUFFERS;
    device.buffers = request->count;
    for (index = 0; index < device.buffers; index++) {
        for (plane = 0; plane < device.planes; plane++) {
            struct plane *of = &device.plane[index][plane];
            size_t length = device.length[plane] + data_offset();

            of->memory = memfd_create("fake_v4l2", MFD_CLOEXEC);
            if (of->memory < 0 || ftruncate(of->memory, (off_t)length) != 0)
                fault("no memory");
            of->bytes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, of->memory, 0);
            if (of->bytes == MAP_FAILED)
                fault("no memory");
        }
    }
    return 0;
}

static int enumerate(struct v4l2_fmtdesc *listed)
{
    const char *formats = setting("FAKE_V4L2_FORMATS");

    if (strlen(formats) < 5 * (size_t)listed->index + 4) {
        errno = EINVAL;
        return -1;
    }
    listed->pixelformat = code(formats + 5 * listed->index);
    return 0;
}

static int set_format(struct v4l2_format *format)
{
    uint32_t plane, asked = device.multi ? format->fmt.pix_mp.pixelformat : format->fmt.pix.pixelformat;
    const char *at, *formats = setting("FAKE_V4L2_FORMATS");

    /* What is not listed becomes the first that is, and the size is the device's own. */
    device.fourcc = code(formats);
    for (at = formats; strlen(at) >= 4; at += at[4] == ',' ? 5 : 4)
        if (code(at) == asked)
            device.fourcc = asked;
    lay_out();
    if (device.multi) {
        struct v4l2_pix_format_mplane *pixels = &format->fmt.pix_mp;

        pixels->pixelformat = device.fourcc;
        pixels->width = device.width;
        pixels->height = device.height;
        pixels->num_planes = (uint8_t)device.planes;
        for (plane = 0; plane < device.planes; plane++)
            pixels->plane_fmt[plane].bytesperline = (uint32_t)device.stride[plane];
    } else {
        format->fmt.pix.pixelformat = device.fourcc;
        format->fmt.pix.width = device.width;
        format->fmt.pix.height = device.height;
        format->fmt.pix.bytesperline = (uint32_t)device.stride[0];
        format->fmt.pix.sizeimage = (uint32_t)device.length[0];
    }
    return 0;
}

static int query_buffer(struct v4l2_buffer *buffer)
{
    uint32_t plane;

    for (plane = 0; plane < device.planes; plane++) {
        uint32_t length = (uint32_t)(device.length[plane] + data_offset());
        uint32_t offset = (buffer->index * PLANES + plane + 1) << 16;

        if (device.multi) {
            buffer->m.planes[plane].length = length;
            buffer->m.planes[plane].m.mem_offset = offset;
        } else {
            buffer->length = length;
            buffer->m.offset = offset;
        }
    }
    return 0;
}

static int queue_buffer(const struct v4l2_buffer *buffer)
{
    uint32_t at;

    if (buffer->index >= device.buffers)
        fault("a buffer that does not exist is queued");
    for (at = 0; at < device.queued; at++)
        if (device.queue[at] == buffer->index)
            fault("a buffer is queued twice");
    for (at = 0; at < EXPORTS; at++)
        if (device.exports[at].fenced && device.exports[at].index == buffer->index)
            fault("a buffer is queued while it is read");
    device.queue[device.queued++] = buffer->index;
    hand_over(buffer->index, 1);
    return 0;
}

static int dequeue_buffer(struct v4l2_buffer *buffer)
{
    uint32_t plane, burst = (uint32_t)strtoul(setting("FAKE_V4L2_BURST"), NULL, 10);

    if (!device.streaming)
        fault("a buffer is taken of a device that is not started");
    if (device.queued == 0 || device.burst == burst) {
        device.burst = 0;
        errno = EAGAIN;
        return -1;
    }
    device.burst++;
    buffer->index = device.queue[0];
    memmove(device.queue, device.queue + 1, --device.queued * sizeof *device.queue);
    fill(buffer->index);
    hand_over(buffer->index, 0);
    buffer->flags = 0;
    if (device.sequence == strtoul(setting("FAKE_V4L2_SPOILT"), NULL, 10) && *setting("FAKE_V4L2_SPOILT"))
        buffer->flags = V4L2_BUF_FLAG_ERROR;
    buffer->sequence = device.sequence++;
    buffer->timestamp.tv_sec = 7;
    buffer->bytesused = (uint32_t)device.length[0];
    for (plane = 0; device.multi && plane < device.planes; plane++) {
        buffer->m.planes[plane].bytesused = (uint32_t)(device.length[plane] + data_offset());
        buffer->m.planes[plane].data_offset = (uint32_t)data_offset();
    }
    return 0;
}

static int export_buffer(struct v4l2_exportbuffer *exported)
{
    int at = 0;

    while (device.exports[at].fd != 0)
        if (++at == EXPORTS)
            fault("more descriptors than there should be");
    exported->fd = fcntl(device.plane[exported->index][exported->plane].memory, F_DUPFD_CLOEXEC, 3);
    device.exports[at].fd = exported->fd;
    device.exports[at].index = exported->index;
    return 0;
}

/* The fence of an exported buffer: opened and closed in turn, and only where the buffer is the program's. */
static int fence(int at, const struct dma_buf_sync *sync)
{
    static int calls;
    int end = (sync->flags & DMA_BUF_SYNC_END) != 0;
    uint32_t in_queue;

    /* The kernel may ask to try again. */
    if (++calls % 3 == 1) {
        errno = calls % 2 == 0 ? EAGAIN : EINTR;
        return -1;
    }
    if ((sync->flags & DMA_BUF_SYNC_RW) != DMA_BUF_SYNC_READ || device.exports[at].fenced != end)
        fault("a fence is opened or closed twice, or not for reading");
    for (in_queue = 0; in_queue < device.queued; in_queue++)
        if (device.queue[in_queue] == device.exports[at].index)
            fault("a buffer is read while it is the device's");
    device.exports[at].fenced = !end;
    return 0;
}

static int control(unsigned long request, void *argument)
{
    static const uint32_t single = V4L2_CAP_VIDEO_CAPTURE, multi = V4L2_CAP_VIDEO_CAPTURE_MPLANE;
    struct v4l2_capability *capability = argument;

#define CALL(name, answer)                                                                         \
    case name:                                                                                     \
        return fails(#name) ? -1 : (answer)
    switch (request) {
    case VIDIOC_QUERYCAP:
        if (fails("VIDIOC_QUERYCAP"))
            return -1;
        capability->capabilities = V4L2_CAP_DEVICE_CAPS;
        capability->device_caps = V4L2_CAP_STREAMING | (device.multi ? multi : single);
        return 0;
        CALL(VIDIOC_ENUM_FMT, enumerate(argument));
        CALL(VIDIOC_G_FMT, 0);
        CALL(VIDIOC_S_FMT, set_format(argument));
        CALL(VIDIOC_REQBUFS, make_buffers(argument));
        CALL(VIDIOC_QUERYBUF, query_buffer(argument));
        CALL(VIDIOC_QBUF, queue_buffer(argument));
        CALL(VIDIOC_DQBUF, dequeue_buffer(argument));
        CALL(VIDIOC_EXPBUF, export_buffer(argument));
        CALL(VIDIOC_STREAMON, (device.streaming = 1, device.sequence = 0, 0));
        CALL(VIDIOC_STREAMOFF, (device.streaming = 0, 0));
    default:
        errno = ENOTTY;
        return -1;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    void *argument;
    int at;

    va_start(rest, request);
    argument = va_arg(rest, void *);
    va_end(rest);
    if (device.fd != 0 && fd == device.fd)
        return control(request, argument);
    for (at = 0; at < EXPORTS; at++)
        if (fd > 0 && device.exports[at].fd == fd && request == DMA_BUF_IOCTL_SYNC)
            return fence(at, argument);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int open(const char *path, int flags, ...)
{
    static long openings;
    va_list rest;
    int mode, frames;

    va_start(rest, flags);
    mode = flags & O_CREAT ? va_arg(rest, int) : 0;
    va_end(rest);
    if (strcmp(path, setting("FAKE_V4L2_PATH")) != 0)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fails("open"))
        return -1;
    open_file();
    device.multi = *setting("FAKE_V4L2_MULTI") == '1';
    sscanf(setting("FAKE_V4L2_SIZE"), "%ux%u", &device.width, &device.height);
    /* It is always ready to be read; or, where no frame ever comes, never. */
    frames = strcmp(setting("FAKE_V4L2_BURST"), "0") != 0 && ++openings > atol(setting("FAKE_V4L2_SILENT"));
    device.fd = eventfd(frames, EFD_CLOEXEC);
    return device.fd;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (device.fd != 0 && fd == device.fd) {
        uint32_t index = (uint32_t)((offset >> 16) - 1) / PLANES, plane = (uint32_t)((offset >> 16) - 1) % PLANES;

        if (fails("mmap"))
            return MAP_FAILED;
        if (protection != PROT_READ || length > device.length[plane] + data_offset())
            fault("a mapping that is longer than its plane, or to write");
        fd = device.plane[index][plane].memory;
        at = (void *)syscall(SYS_mmap, NULL, length, PROT_READ, flags, fd, 0);
        device.plane[index][plane].at = at;
        return at;
    }
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length)
{
    uint32_t index, plane;

    for (index = 0; index < device.buffers; index++)
        for (plane = 0; plane < device.planes; plane++)
            if (device.plane[index][plane].at == at)
                device.plane[index][plane].at = NULL;
    return (int)syscall(SYS_munmap, at, length);
}

/* What the device had is gone with its last user, so that it can be opened again. */
static void forget(void)
{
    uint32_t index, plane;

    for (index = 0; index < device.buffers; index++) {
        for (plane = 0; plane < device.planes; plane++) {
            if (device.plane[index][plane].at != NULL)
                fault("the device is closed while a buffer is mapped");
            munmap(device.plane[index][plane].bytes, device.length[plane] + data_offset());
            syscall(SYS_close, device.plane[index][plane].memory);
        }
    }
    device.fd = 0;
    device.buffers = device.queued = device.streaming = device.burst = 0;
}

int close(int fd)
{
    int at;

    for (at = 0; at < EXPORTS; at++) {
        if (fd > 0 && device.exports[at].fd == fd) {
            if (device.exports[at].fenced)
                fault("a descriptor is closed while its buffer is read");
            device.exports[at].fd = 0;
        }
    }
    if (fd > 0 && fd == device.fd)
        forget();
    return (int)syscall(SYS_close, fd);
}

__attribute__((destructor)) static void nothing_is_left(void)
{
    uint32_t index, plane;
    int at;

    if (device.fd != 0)
        fault("the device is left open");
    for (at = 0; at < EXPORTS; at++)
        if (device.exports[at].fd != 0)
            fault("a buffer's descriptor is left open");
    for (index = 0; index < device.buffers; index++)
        for (plane = 0; plane < device.planes; plane++)
            if (device.plane[index][plane].at != NULL)
                fault("a buffer is left mapped");
}
