/*
 * A camera's firmware: frames of a V4L2 device go in, a line for each answer comes out. A program to start from.
 *
 *     camera [--device /dev/video0] [--io mmap|dmabuf] [--format NV12] [--size 640x480] LABEL...
 *     camera --raw FILE|- --format YU12 --size 640x480 LABEL...
 *
 * --device      Single-planar and multi-planar drivers. The driver's word on format and size is what is used.
 * --io dmabuf   The library reads the driver's buffers by descriptor, fenced; nothing is mapped here.
 * --raw         Frames one after another without padding, from a file, a fifo or standard input (-). A CSI camera whose
 *               driver only gives sensor data is read through libcamera:
 *               rpicam-vid --codec yuv420 --width 640 --height 480 -n -t 0 -o - |
 *                   camera --raw - --format YU12 --size 640x480 "a cat" "a person"
 * --every       The next frame is taken when the last one is answered.
 * --frames N    Ends after N answers. --resolution R: always looks at R pixels; else the bundle's policy chooses.
 *
 * Without --every the newest frame wins: the loop never waits for an answer, a buffer goes back to the driver as soon as
 * it is read, and a frame that waits is replaced by a newer one. SIGTERM and SIGINT end the program cleanly. Exit codes:
 * 0 ok, 1 failed, 2 usage.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "v4l2.h"

#include <ocellus.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A device that gives no frame for so long has failed. */
#define PATIENCE_MS 5000
/* An answer that takes so long does not come. */
#define ANSWER_MS 60000

struct options {
    const char *device, *raw, *format;
    uint32_t width, height, resolution;
    unsigned long frames;
    int dmabuf, every;
};

struct watch {
    ocellus_session *session;
    const char *const *labels;
    unsigned long wanted;
    int every;
    int signals; /* readable when the program is told to end */
    int done;    /* readable when it has all its answers, or one failed */
    /* The library's thread writes these; they are read when the session is freed, and with it the thread. */
    unsigned long answers;
    int failed;
};

/* A status that is not OCELLUS_OK is shown with its message. */
static int failed(const char *what, int32_t status)
{
    char message[512];

    if (status == OCELLUS_OK)
        return 0;
    ocellus_last_error(message, sizeof message);
    fprintf(stderr, "%s: %s: %s\n", what, ocellus_status_name(status), message);
    return 1;
}

/* Takes an answer, in the library's thread. */
static void answered(void *context, int32_t status, const ocellus_result *result,
                     const ocellus_hit *hits)
{
    struct watch *watch = (struct watch *)context;

    if (watch->failed || watch->answers == watch->wanted)
        return;
    watch->failed = failed("frame", status);
    if (!watch->failed) {
        printf("frame %llu: ", (unsigned long long)result->cookie);
        if (result->no_match)
            printf("nothing fits");
        else
            printf("%s %.4f", watch->labels[hits[0].label], hits[0].probability);
        printf(" (match %.4f) at %u, %llu us, %u dropped%s\n", result->match_probability,
               result->resolution, (unsigned long long)result->total_us, result->dropped,
               result->flags & OCELLUS_RESULT_THROTTLED ? ", throttled" : "");
        fflush(stdout);
        watch->answers++;
    }
    if (watch->failed || watch->answers == watch->wanted)
        eventfd_write(watch->done, 1);
}

/* Gives a frame to the library; its buffer is free again when this returns. 1 where it is refused. */
static int give(const struct watch *watch, const ocellus_frame *frame)
{
    return failed("submit", ocellus_session_submit(watch->session, frame)) ||
           (watch->every && failed("answer", ocellus_session_flush(watch->session, ANSWER_MS)));
}

/* Describes a buffer of the device to the library. */
static void describe(ocellus_frame *frame, const struct capture *capture, const struct filled *filled)
{
    uint32_t plane;

    ocellus_frame_init(frame, sizeof *frame);
    frame->fourcc = capture->fourcc;
    frame->width = capture->width;
    frame->height = capture->height;
    frame->matrix = capture->bt709 ? OCELLUS_MATRIX_BT709 : OCELLUS_MATRIX_BT601;
    frame->range = capture->full_range ? OCELLUS_RANGE_FULL : OCELLUS_RANGE_LIMITED;
    frame->cookie = filled->sequence;
    frame->timestamp_ns = filled->timestamp_ns;
    frame->plane_count = capture->planes;
    for (plane = 0; plane < capture->planes; plane++) {
        frame->planes[plane].data = filled->planes[plane].data;
        frame->planes[plane].fd = filled->planes[plane].fd;
        frame->planes[plane].offset = filled->planes[plane].offset;
        frame->planes[plane].size = filled->planes[plane].size;
        frame->planes[plane].stride = capture->stride[plane];
    }
}

/* Waits until a descriptor can be read: 1; 0: the program is to end; -1: nothing came in time, or it failed. */
static int wait_for(int fd, const struct watch *watch, const char *name, int patience_ms)
{
    struct pollfd wait[3];
    int ready;

    wait[0].fd = fd;
    wait[1].fd = watch->signals;
    wait[2].fd = watch->done;
    wait[0].events = wait[1].events = wait[2].events = POLLIN;
    do
        ready = poll(wait, 3, patience_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) {
        fprintf(stderr, "%s: poll: %s (errno %d)\n", name, strerror(errno), errno);
        return -1;
    }
    if (wait[1].revents != 0 || wait[2].revents != 0)
        return 0;
    if (ready == 0)
        fprintf(stderr, "%s: no frame came for %d ms\n", name, patience_ms);
    return ready == 0 ? -1 : 1;
}

static int watch_device(const struct watch *watch, const struct options *options)
{
    struct capture capture;
    struct filled filled;
    ocellus_frame frame;
    int going, taken;

    going = capture_open(&capture, options->device, options->format, options->width,
                         options->height, options->dmabuf) ? -1 : 1;
    while (going > 0 && (going = wait_for(capture.fd, watch, options->device, PATIENCE_MS)) > 0) {
        taken = capture_newest(&capture, &filled);
        if (taken > 0) {
            describe(&frame, &capture, &filled);
            if (give(watch, &frame) || capture_release(&capture, &filled))
                taken = -1;
        }
        if (taken < 0)
            going = -1;
    }
    return capture_close(&capture) || going < 0;
}

/* Bytes of a frame without padding, and of a row of its first plane; 0 for a format that is not known here. */
static size_t frame_bytes(const char *fourcc, size_t width, size_t height, size_t *row)
{
    size_t chroma = 2 * ((width + 1) / 2) * ((height + 1) / 2);

    *row = width;
    if (strcmp(fourcc, "NV12") == 0 || strcmp(fourcc, "NV21") == 0 || strcmp(fourcc, "YU12") == 0)
        return width * height + chroma;
    if (strcmp(fourcc, "GREY") == 0)
        return width * height;
    if (strcmp(fourcc, "YUYV") == 0 || strcmp(fourcc, "UYVY") == 0)
        *row = 2 * width;
    else if (strcmp(fourcc, "RGB3") == 0 || strcmp(fourcc, "BGR3") == 0)
        *row = 3 * width;
    else
        return 0;
    return *row * height;
}

/* Reads the next frame: 1; 0: at the end, or the program is to end; -1: it fails or ends within a frame. */
static int read_frame(int fd, const struct watch *watch, const char *name, unsigned char *bytes,
                      size_t size)
{
    size_t held = 0;

    while (held < size) {
        int going = wait_for(fd, watch, name, -1);
        ssize_t got;

        if (going <= 0)
            return going;
        got = read(fd, bytes + held, size - held);
        if (got < 0) {
            fprintf(stderr, "%s: read: %s (errno %d)\n", name, strerror(errno), errno);
            return -1;
        }
        if (got == 0 && held > 0) {
            fprintf(stderr, "%s: ends within a frame: %zu of %zu bytes\n", name, held, size);
            return -1;
        }
        if (got == 0)
            return 0;
        held += (size_t)got;
    }
    return 1;
}

static int watch_raw(const struct watch *watch, const struct options *options)
{
    const char *name = strcmp(options->raw, "-") == 0 ? "standard input" : options->raw;
    unsigned char *bytes;
    ocellus_frame frame;
    size_t size, row;
    int fd = STDIN_FILENO, got = 1;

    size = frame_bytes(options->format, options->width, options->height, &row);
    if (size == 0) {
        fprintf(stderr, "--raw: no frame is %s %ux%u\n", options->format, options->width,
                options->height);
        return 2;
    }
    if (name == options->raw)
        fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a fifo's writer may come later */
    bytes = (unsigned char *)malloc(size);
    if (fd < 0 || bytes == NULL) {
        fprintf(stderr, "%s: open: %s (errno %d)\n", name, strerror(errno), errno);
        got = -1;
    }
    ocellus_frame_init(&frame, sizeof frame);
    memcpy(&frame.fourcc, options->format, 4);
    frame.width = options->width;
    frame.height = options->height;
    frame.planes[0].data = bytes;
    frame.planes[0].stride = row;
    frame.planes[0].size = size;
    while (got > 0 && (got = read_frame(fd, watch, name, bytes, size)) > 0) {
        if (give(watch, &frame))
            got = -1;
        frame.cookie++;
    }
    /* The last frame is answered too. */
    if (got == 0 && failed("answer", ocellus_session_flush(watch->session, ANSWER_MS)))
        got = -1;
    if (fd > STDIN_FILENO)
        close(fd);
    free(bytes);
    return got < 0;
}

static int usage(void)
{
    fprintf(stderr, "camera [--device PATH] [--io mmap|dmabuf] [--format FOURCC] [--size WxH] LABEL...\n"
                    "camera --raw FILE|- --format FOURCC --size WxH LABEL...\n"
                    "    both: [--every] [--frames N] [--resolution R]\n");
    return 2;
}

/* Reads the command line; not 0 where it makes no sense. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"device", required_argument, NULL, 'd'}, {"io", required_argument, NULL, 'i'},
        {"format", required_argument, NULL, 'f'}, {"size", required_argument, NULL, 's'},
        {"raw", required_argument, NULL, 'r'},    {"frames", required_argument, NULL, 'n'},
        {"every", no_argument, NULL, 'e'},
        {"resolution", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    int name, bad = 0;

    memset(options, 0, sizeof *options);
    options->device = "/dev/video0";
    options->frames = (unsigned long)-1;
    while ((name = getopt_long(argc, argv, "+", names, NULL)) != -1) {
        switch (name) {
        case 'd': options->device = optarg; break;
        case 'e': options->every = 1; break;
        case 'f': options->format = optarg; bad |= strlen(optarg) != 4; break;
        case 'i':
            options->dmabuf = strcmp(optarg, "dmabuf") == 0;
            bad |= !options->dmabuf && strcmp(optarg, "mmap") != 0;
            break;
        case 'n': options->frames = strtoul(optarg, NULL, 10); break;
        case 'p': options->resolution = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'r': options->raw = optarg; break;
        case 's': bad |= sscanf(optarg, "%ux%u", &options->width, &options->height) != 2; break;
        default: bad = 1;
        }
    }
    bad |= optind >= argc;
    return bad || (options->raw != NULL && (options->format == NULL || options->width == 0));
}

int main(int argc, char **argv)
{
    ocellus_bundle *bundle = NULL;
    ocellus_runtime *runtime = NULL;
    ocellus_session_options session;
    struct options options;
    struct watch watch;
    sigset_t signals;
    int bad;

    if (parse(argc, argv, &options))
        return usage();
    memset(&watch, 0, sizeof watch);
    /* They are taken where the program waits, and nowhere else. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    watch.signals = signalfd(-1, &signals, SFD_CLOEXEC);
    watch.done = eventfd(0, EFD_CLOEXEC);
    if (watch.signals < 0 || watch.done < 0) {
        perror("signalfd, eventfd");
        return 1;
    }

    watch.labels = (const char *const *)argv + optind;
    watch.wanted = options.frames;
    watch.every = options.every;
    bad = failed("header", ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR)) ||
          failed("bundle", ocellus_bundle_default(&bundle)) ||
          failed("runtime", ocellus_runtime_new(bundle, NULL, &runtime)) ||
          failed("options", ocellus_session_options_init(&session, sizeof session));
    session.on_result = answered;
    session.on_result_context = &watch;
    session.when_busy = OCELLUS_WHEN_BUSY_REPLACE;
    if (!bad && options.resolution != 0) {
        session.policy = OCELLUS_POLICY_FIXED;
        session.resolution = options.resolution;
    }
    bad = bad || failed("session", ocellus_session_new(runtime, &session, &watch.session)) ||
          failed("labels", ocellus_session_set_labels(watch.session, watch.labels, NULL,
                                                      (size_t)(argc - optind))) ||
          failed("warm up", ocellus_session_warm_up(watch.session));
    if (!bad)
        bad = options.raw != NULL ? watch_raw(&watch, &options) : watch_device(&watch, &options);
    ocellus_session_free(watch.session); /* no answer comes after this */
    ocellus_runtime_free(runtime);
    ocellus_bundle_free(bundle);
    close(watch.signals);
    close(watch.done);
    return bad != 0 ? bad : watch.failed;
}
