#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "v4l2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What Ocellus reads, the cheapest to read first; an M is of the multi-planar kind. */
static const char PREFERRED[][5] = {"NV12", "NM12", "YU12", "YM12", "NV21", "NM21",
                                    "YUYV", "UYVY", "GREY", "RGB3", "BGR3"};
#define PREFERRED_COUNT (sizeof PREFERRED / sizeof *PREFERRED)

static uint32_t code(const char *fourcc)
{
    uint32_t code;

    memcpy(&code, fourcc, sizeof code);
    return code;
}

/* Prints errno as the reason of a failed call, and is 1. */
static int refused(const struct capture *capture, const char *call)
{
    fprintf(stderr, "%s: %s: %s (errno %d)\n", capture->device, call, strerror(errno), errno);
    return 1;
}

static int control(const struct capture *capture, unsigned long request, void *argument)
{
    int status;

    do
        status = ioctl(capture->fd, request, argument);
    while (status < 0 && errno == EINTR);
    return status;
}

static int multi_planar(const struct capture *capture)
{
    return capture->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
}

/* Opens the device and finds out of which kind it is. */
static int open_device(struct capture *capture)
{
    struct v4l2_capability capability;
    uint32_t can;

    capture->fd = open(capture->device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (capture->fd < 0)
        return refused(capture, "open");
    memset(&capability, 0, sizeof capability);
    if (control(capture, VIDIOC_QUERYCAP, &capability) < 0)
        return refused(capture, "VIDIOC_QUERYCAP");
    can = capability.capabilities & V4L2_CAP_DEVICE_CAPS ? capability.device_caps
                                                         : capability.capabilities;
    if (can & V4L2_CAP_VIDEO_CAPTURE_MPLANE)
        capture->type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    else if (can & V4L2_CAP_VIDEO_CAPTURE)
        capture->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (capture->type == 0 || !(can & V4L2_CAP_STREAMING)) {
        fprintf(stderr, "%s: captures no video by streaming\n", capture->device);
        return 1;
    }
    return 0;
}

/* Chooses the first of the preferred formats that the device lists. */
static int choose_format(struct capture *capture)
{
    struct v4l2_fmtdesc listed;
    size_t rank, best = PREFERRED_COUNT;
    uint32_t index;

    for (index = 0;; index++) {
        memset(&listed, 0, sizeof listed);
        listed.index = index;
        listed.type = capture->type;
        if (control(capture, VIDIOC_ENUM_FMT, &listed) < 0) {
            if (errno == EINVAL) /* the list's end */
                break;
            return refused(capture, "VIDIOC_ENUM_FMT");
        }
        for (rank = 0; rank < best; rank++)
            if (listed.pixelformat == code(PREFERRED[rank]))
                best = rank;
    }
    if (best == PREFERRED_COUNT) {
        fprintf(stderr, "%s: gives none of the formats that Ocellus reads; for a sensor's raw data, see --raw\n",
                capture->device);
        return 1;
    }
    capture->fourcc = code(PREFERRED[best]);
    return 0;
}

/* Which colours the driver says that it gives. */
static void note_colours(struct capture *capture, uint32_t space, uint32_t encoding, uint32_t range)
{
    if (encoding == V4L2_YCBCR_ENC_DEFAULT)
        encoding = space == V4L2_COLORSPACE_REC709 ? V4L2_YCBCR_ENC_709 : V4L2_YCBCR_ENC_601;
    if (range == V4L2_QUANTIZATION_DEFAULT)
        range = space == V4L2_COLORSPACE_JPEG ? V4L2_QUANTIZATION_FULL_RANGE
                                              : V4L2_QUANTIZATION_LIM_RANGE;
    capture->bt709 = encoding == V4L2_YCBCR_ENC_709;
    capture->full_range = range == V4L2_QUANTIZATION_FULL_RANGE;
}

/* Asks for the format; what the driver makes of it is what counts. */
static int set_format(struct capture *capture, uint32_t width, uint32_t height)
{
    struct v4l2_format format;
    uint32_t wanted = capture->fourcc, plane;

    memset(&format, 0, sizeof format);
    format.type = capture->type;
    /* Where no size is asked for, the device keeps the one it has. */
    if (control(capture, VIDIOC_G_FMT, &format) < 0)
        return refused(capture, "VIDIOC_G_FMT");
    if (multi_planar(capture)) {
        struct v4l2_pix_format_mplane *pixels = &format.fmt.pix_mp;

        pixels->pixelformat = wanted;
        pixels->field = V4L2_FIELD_NONE;
        if (width != 0) {
            pixels->width = width;
            pixels->height = height;
        }
        memset(pixels->plane_fmt, 0, sizeof pixels->plane_fmt);
        if (control(capture, VIDIOC_S_FMT, &format) < 0)
            return refused(capture, "VIDIOC_S_FMT");
        capture->fourcc = pixels->pixelformat;
        capture->width = pixels->width;
        capture->height = pixels->height;
        capture->planes = pixels->num_planes;
        for (plane = 0; plane < capture->planes && plane < CAPTURE_PLANES; plane++)
            capture->stride[plane] = pixels->plane_fmt[plane].bytesperline;
        note_colours(capture, pixels->colorspace, pixels->ycbcr_enc, pixels->quantization);
    } else {
        struct v4l2_pix_format *pixels = &format.fmt.pix;

        pixels->pixelformat = wanted;
        pixels->field = V4L2_FIELD_NONE;
        pixels->bytesperline = 0;
        pixels->sizeimage = 0;
        if (width != 0) {
            pixels->width = width;
            pixels->height = height;
        }
        if (control(capture, VIDIOC_S_FMT, &format) < 0)
            return refused(capture, "VIDIOC_S_FMT");
        capture->fourcc = pixels->pixelformat;
        capture->width = pixels->width;
        capture->height = pixels->height;
        capture->planes = 1;
        capture->stride[0] = pixels->bytesperline;
        note_colours(capture, pixels->colorspace, pixels->ycbcr_enc, pixels->quantization);
    }
    if (capture->fourcc != wanted || capture->planes > CAPTURE_PLANES) {
        fprintf(stderr, "%s: asked for %.4s, got %.4s in %u planes\n", capture->device,
                (const char *)&wanted, (const char *)&capture->fourcc, capture->planes);
        return 1;
    }
    return 0;
}

/* A buffer's description, with room for its planes. */
static void prepare(const struct capture *capture, struct v4l2_buffer *buffer,
                    struct v4l2_plane *planes, uint32_t index)
{
    memset(buffer, 0, sizeof *buffer);
    memset(planes, 0, CAPTURE_PLANES * sizeof *planes);
    buffer->type = capture->type;
    buffer->memory = V4L2_MEMORY_MMAP;
    buffer->index = index;
    if (multi_planar(capture)) {
        buffer->m.planes = planes;
        buffer->length = CAPTURE_PLANES;
    }
}

static int queue(const struct capture *capture, uint32_t index)
{
    struct v4l2_plane planes[CAPTURE_PLANES];
    struct v4l2_buffer buffer;

    prepare(capture, &buffer, planes, index);
    if (multi_planar(capture))
        buffer.length = capture->planes;
    if (control(capture, VIDIOC_QBUF, &buffer) < 0)
        return refused(capture, "VIDIOC_QBUF");
    return 0;
}

/* Maps a plane, or gets its dma-buf. */
static int reach_plane(struct capture *capture, uint32_t index, uint32_t plane, uint32_t length,
                       uint32_t offset, int dmabuf)
{
    struct v4l2_exportbuffer exported;
    void *at;

    capture->length[index][plane] = length;
    if (!dmabuf) {
        at = mmap(NULL, length, PROT_READ, MAP_SHARED, capture->fd, (off_t)offset);
        if (at == MAP_FAILED)
            return refused(capture, "mmap");
        capture->at[index][plane] = at;
        return 0;
    }
    memset(&exported, 0, sizeof exported);
    exported.type = capture->type;
    exported.index = index;
    exported.plane = plane;
    exported.flags = O_RDONLY | O_CLOEXEC;
    if (control(capture, VIDIOC_EXPBUF, &exported) < 0)
        return refused(capture, "VIDIOC_EXPBUF");
    capture->dmabuf[index][plane] = exported.fd;
    return 0;
}

static int make_buffers(struct capture *capture, int dmabuf)
{
    struct v4l2_requestbuffers request;
    struct v4l2_plane planes[CAPTURE_PLANES];
    struct v4l2_buffer buffer;
    uint32_t index, plane;

    memset(&request, 0, sizeof request);
    request.count = CAPTURE_BUFFERS;
    request.type = capture->type;
    request.memory = V4L2_MEMORY_MMAP;
    if (control(capture, VIDIOC_REQBUFS, &request) < 0)
        return refused(capture, "VIDIOC_REQBUFS");
    capture->buffers = request.count < CAPTURE_BUFFERS ? request.count : CAPTURE_BUFFERS;
    for (index = 0; index < capture->buffers; index++) {
        prepare(capture, &buffer, planes, index);
        if (control(capture, VIDIOC_QUERYBUF, &buffer) < 0)
            return refused(capture, "VIDIOC_QUERYBUF");
        for (plane = 0; plane < capture->planes; plane++) {
            uint32_t length = multi_planar(capture) ? planes[plane].length : buffer.length;
            uint32_t offset = multi_planar(capture) ? planes[plane].m.mem_offset : buffer.m.offset;

            if (reach_plane(capture, index, plane, length, offset, dmabuf))
                return 1;
        }
        if (queue(capture, index))
            return 1;
    }
    return 0;
}

int capture_open(struct capture *capture, const char *device, const char *format, uint32_t width,
                 uint32_t height, int dmabuf)
{
    uint32_t index, plane;

    memset(capture, 0, sizeof *capture);
    capture->device = device;
    for (index = 0; index < CAPTURE_BUFFERS; index++)
        for (plane = 0; plane < CAPTURE_PLANES; plane++)
            capture->dmabuf[index][plane] = -1;
    if (open_device(capture))
        return 1;
    if (format != NULL)
        capture->fourcc = code(format);
    else if (choose_format(capture))
        return 1;
    if (set_format(capture, width, height) || make_buffers(capture, dmabuf))
        return 1;
    if (control(capture, VIDIOC_STREAMON, &capture->type) < 0)
        return refused(capture, "VIDIOC_STREAMON");
    capture->streaming = 1;
    return 0;
}

/* Takes the oldest filled buffer. */
static int take(const struct capture *capture, struct filled *filled, int *spoilt)
{
    struct v4l2_plane planes[CAPTURE_PLANES];
    struct v4l2_buffer buffer;
    uint32_t plane;

    prepare(capture, &buffer, planes, 0);
    if (control(capture, VIDIOC_DQBUF, &buffer) < 0) {
        if (errno == EAGAIN)
            return 0;
        refused(capture, "VIDIOC_DQBUF");
        return -1;
    }
    *spoilt = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0;
    filled->index = buffer.index;
    filled->sequence = buffer.sequence;
    filled->timestamp_ns = (int64_t)buffer.timestamp.tv_sec * 1000000000 +
                           (int64_t)buffer.timestamp.tv_usec * 1000;
    for (plane = 0; plane < capture->planes; plane++) {
        uint32_t used = multi_planar(capture) ? planes[plane].bytesused : buffer.bytesused;
        size_t length = capture->length[buffer.index][plane];

        filled->planes[plane].data = capture->at[buffer.index][plane];
        filled->planes[plane].fd = capture->dmabuf[buffer.index][plane];
        filled->planes[plane].offset = multi_planar(capture) ? planes[plane].data_offset : 0;
        filled->planes[plane].size = used != 0 && used < length ? used : length;
    }
    return 1;
}

int capture_newest(struct capture *capture, struct filled *filled)
{
    struct filled next;
    int have = 0, spoilt, taken;

    while ((taken = take(capture, &next, &spoilt)) > 0) {
        /* A spoilt frame is given back, and so is one that a newer frame follows. */
        if (spoilt ? queue(capture, next.index) : have && queue(capture, filled->index))
            return -1;
        if (!spoilt) {
            *filled = next;
            have = 1;
        }
    }
    return taken < 0 ? -1 : have;
}

int capture_release(struct capture *capture, const struct filled *filled)
{
    return queue(capture, filled->index);
}

int capture_close(struct capture *capture)
{
    uint32_t index, plane;
    int bad = 0;

    if (capture->streaming && control(capture, VIDIOC_STREAMOFF, &capture->type) < 0)
        bad = refused(capture, "VIDIOC_STREAMOFF");
    for (index = 0; index < CAPTURE_BUFFERS; index++) {
        for (plane = 0; plane < CAPTURE_PLANES; plane++) {
            if (capture->at[index][plane] != NULL)
                munmap(capture->at[index][plane], capture->length[index][plane]);
            if (capture->dmabuf[index][plane] >= 0)
                close(capture->dmabuf[index][plane]);
        }
    }
    if (capture->fd >= 0)
        close(capture->fd);
    return bad;
}
