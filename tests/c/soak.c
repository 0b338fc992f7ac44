/*
 * Runs for a long time and keeps nothing: a device that labels frames for a year must not grow.
 *
 *     soak FRAMES, at least 200, rounded up to whole rounds
 *
 * Frames come from memory and from a descriptor in turn, every third is submitted to the session's worker, and each tenth
 * is followed by one that is refused and by new labels.
 * Thirty frames are a round, and rounds are alike. After the third the process is measured, and after the last it may be
 * no larger: bytes in use of the heap, resident pages, threads, descriptors, mappings. Exit codes: 0 it did not grow, 1 it
 * did, 2 usage.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ocellus.h>

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WIDTH 64
#define HEIGHT 48
#define ROUND 30
#define BYTES (WIDTH * HEIGHT * 3 / 2)

/* What may not grow, and by how much it may differ: a block of the heap is a little longer where what is left of a hole
 * is too short for another block. */
enum { HEAP_BYTES, RESIDENT_KB, THREADS, DESCRIPTORS, MAPPINGS, COUNTS };
static const char *const NAMES[COUNTS] = {"heap bytes", "resident KiB", "threads", "descriptors", "mappings"};
static const long SLACK[COUNTS] = {512, 256, 0, 0, 0};

static void check(const char *what, int32_t status, int32_t wanted)
{
    char message[512];

    if (status == wanted)
        return;
    ocellus_last_error(message, sizeof message);
    fprintf(stderr, "%s: %s: %s\n", what, ocellus_status_name(status), message);
    exit(1);
}

static void answered(void *context, int32_t status, const ocellus_result *result,
                     const ocellus_hit *hits)
{
    (void)result;
    (void)hits;
    check("answer", status, OCELLUS_OK);
    ++*(long *)context;
}

static long entries(const char *path)
{
    DIR *folder = opendir(path);
    long count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void measure(long counts[COUNTS])
{
    /* Static, and read in one piece, so that measuring takes no memory of its own. */
    static char maps[1 << 20];
    struct mallinfo2 heap;
    unsigned long size = 0, resident = 0;
    FILE *file;
    char *at;

    counts[THREADS] = entries("/proc/self/task");
    counts[DESCRIPTORS] = entries("/proc/self/fd");
    counts[MAPPINGS] = 0;
    file = fopen("/proc/self/maps", "r");
    if (file != NULL) {
        maps[fread(maps, 1, sizeof maps - 1, file)] = '\0';
        fclose(file);
        for (at = strchr(maps, '\n'); at != NULL; at = strchr(at + 1, '\n'))
            counts[MAPPINGS]++;
    }
    file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2) {
        fprintf(stderr, "no /proc/self/statm\n");
        exit(1);
    }
    fclose(file);
    counts[RESIDENT_KB] = (long)resident * (sysconf(_SC_PAGESIZE) / 1024);
    heap = mallinfo2();
    counts[HEAP_BYTES] = (long)(heap.uordblks + heap.hblkhd);
}

int main(int argc, char **argv)
{
    static unsigned char pixels[BYTES];
    const char *labels[] = {"a cat", "a bus", "a cup of coffee"};
    long before[COUNTS], after[COUNTS], frames = argc == 2 ? atol(argv[1]) : 0, frame;
    long submitted = 0, answers = 0;
    ocellus_bundle *bundle;
    ocellus_runtime *runtime;
    ocellus_session *session;
    ocellus_session_options options;
    ocellus_frame given;
    ocellus_result result;
    ocellus_hit hits[3];
    int count, grown = 0, memory;

    /* What a thread has freed and keeps for itself counts as used; without, the heap can be told to the byte. It is a
     * setting of the C library, which reads it when the program starts. */
    if (getenv("GLIBC_TUNABLES") == NULL) {
        setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
        execv("/proc/self/exe", argv);
        perror("execv");
        return 1;
    }
    if (frames < 200) {
        fprintf(stderr, "soak FRAMES, 200 or more\n");
        return 2;
    }
    frames += ROUND - 1;
    frames -= frames % ROUND;
    memory = memfd_create("soak", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, BYTES) != 0) {
        perror("memfd_create");
        return 1;
    }
    check("bundle", ocellus_bundle_default(&bundle), OCELLUS_OK);
    check("runtime", ocellus_runtime_new(bundle, NULL, &runtime), OCELLUS_OK);
    check("options", ocellus_session_options_init(&options, sizeof options), OCELLUS_OK);
    options.policy = OCELLUS_POLICY_FIXED;
    options.resolution = 112;
    options.relevance = 1;
    options.on_result = answered;
    options.on_result_context = &answers;
    check("session", ocellus_session_new(runtime, &options, &session), OCELLUS_OK);
    check("labels", ocellus_session_set_labels(session, labels, NULL, 3), OCELLUS_OK);
    check("warm up", ocellus_session_warm_up(session), OCELLUS_OK);
    check("frame", ocellus_frame_init(&given, sizeof given), OCELLUS_OK);
    check("result", ocellus_result_init(&result, sizeof result), OCELLUS_OK);
    memcpy(&given.fourcc, "NV12", 4);
    given.width = WIDTH;
    given.height = HEIGHT;
    given.planes[0].stride = WIDTH;
    given.planes[0].size = BYTES;

    for (frame = 0; frame < frames; frame++) {
        if (frame == 3 * ROUND)
            measure(before);
        memset(pixels, (int)(frame % ROUND) * 8, BYTES / 2);
        given.planes[0].data = frame % 2 == 0 ? pixels : NULL;
        given.planes[0].fd = frame % 2 == 0 ? -1 : memory;
        if (frame % 2 == 1 && pwrite(memory, pixels, BYTES, 0) != BYTES) {
            perror("pwrite");
            return 1;
        }
        if (frame % 3 == 0) {
            check("submit", ocellus_session_submit(session, &given), OCELLUS_OK);
            check("flush", ocellus_session_flush(session, 60000), OCELLUS_OK);
            submitted++;
        } else {
            check("infer", ocellus_session_infer(session, &given, &result, hits, 3), OCELLUS_OK);
        }
        if (frame % 10 == 0) {
            given.planes[0].stride = 1;
            check("a bad frame", ocellus_session_infer(session, &given, &result, hits, 3),
                  OCELLUS_E_FRAME_STRIDE);
            given.planes[0].stride = WIDTH;
            check("labels", ocellus_session_set_labels(session, labels, NULL, 3), OCELLUS_OK);
        }
    }
    measure(after);
    for (count = 0; count < COUNTS; count++) {
        int grew = after[count] > before[count] + SLACK[count];

        printf("%s: %ld -> %ld%s\n", NAMES[count], before[count], after[count], grew ? ", GREW" : "");
        grown |= grew;
    }
    check("free", ocellus_session_free(session), OCELLUS_OK);
    check("free", ocellus_runtime_free(runtime), OCELLUS_OK);
    check("free", ocellus_bundle_free(bundle), OCELLUS_OK);
    close(memory);
    if (answers != submitted)
        fprintf(stderr, "%ld frames were submitted, %ld were answered\n", submitted, answers);
    return grown || answers != submitted;
}
