/*
 * Frames of a V4L2 device, streamed from buffers of the driver: single-planar and multi-planar, mapped or by descriptor.
 * Every failure is printed with the device, the call and errno.
 */
#ifndef V4L2_H
#define V4L2_H

#include <linux/videodev2.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_BUFFERS 4
#define CAPTURE_PLANES 4

struct capture {
    const char *device;
    int fd;
    uint32_t type; /* enum v4l2_buf_type */
    int streaming;
    uint32_t fourcc, width, height, planes;
    uint32_t stride[CAPTURE_PLANES];
    int bt709, full_range;
    uint32_t buffers;
    /* Of each plane of each buffer: where it is mapped, or its dma-buf. */
    void *at[CAPTURE_BUFFERS][CAPTURE_PLANES];
    int dmabuf[CAPTURE_BUFFERS][CAPTURE_PLANES];
    size_t length[CAPTURE_BUFFERS][CAPTURE_PLANES];
};

/* A buffer that the device has filled. It is the caller's until it is released. */
struct filled {
    uint32_t index;
    uint64_t sequence;
    int64_t timestamp_ns;
    struct {
        void *data; /* NULL where there is a descriptor */
        int fd;     /* -1 where there is none */
        size_t offset, size;
    } planes[CAPTURE_PLANES];
};

/* Opens the device and starts it: `format` (a fourcc), or the first that suits Ocellus where it is NULL; about `width` x
 * `height`, or the driver's own size where they are 0. 0, or 1 after a message. Closed by capture_close in any case. */
int capture_open(struct capture *capture, const char *device, const char *format, uint32_t width,
                 uint32_t height, int dmabuf);

/* Takes the newest filled buffer and gives older ones back. 1: it was taken; 0: there is none yet; -1: failed. */
int capture_newest(struct capture *capture, struct filled *filled);

/* Gives a buffer back to the device. */
int capture_release(struct capture *capture, const struct filled *filled);

/* Stops the device and lets everything go. */
int capture_close(struct capture *capture);

#endif
