/*
 * Labels one raw picture: the smallest program that does everything a camera's firmware does with Ocellus.
 *
 *     label_file [--where] FOURCC WIDTH HEIGHT FILE RESOLUTION LABEL...
 *
 * FILE holds the planes one after another without padding, FOURCC is V4L2's code (RGB3, NV12, ...), RESOLUTION is one of
 * the bundle's, or 0 to let the bundle's policy choose. Exit codes: 0 ok, 1 failed, 2 usage.
 */
#include <ocellus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The whole of a file, to be freed by the caller. */
static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    long end;

    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) > 0 && fseek(file, 0, SEEK_SET) == 0) {
        *size = (size_t)end;
        bytes = malloc(*size);
        if (bytes != NULL && fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

/* Bytes of a row of the first plane. */
static size_t row_bytes(const char *fourcc, uint32_t width)
{
    if (strcmp(fourcc, "RGB3") == 0 || strcmp(fourcc, "BGR3") == 0)
        return 3 * (size_t)width;
    if (strcmp(fourcc, "YUYV") == 0 || strcmp(fourcc, "UYVY") == 0)
        return 2 * (size_t)width;
    return width;
}

/* Where a label is: its peak, and its heat as one digit a cell. */
static int print_place(ocellus_session *session, uint32_t label)
{
    ocellus_relevance place;
    float *cells;
    uint32_t row, column;
    int32_t status;

    ocellus_relevance_init(&place, sizeof place);
    if (failed("relevance", ocellus_session_relevance(session, label, &place, NULL, 0)))
        return 1;
    cells = malloc((size_t)place.rows * place.columns * sizeof *cells);
    if (cells == NULL)
        return 1;
    status = ocellus_session_relevance(session, label, &place, cells,
                                       (size_t)place.rows * place.columns);
    if (status == OCELLUS_OK) {
        printf("place %u %d %.9g %.9g %.9g\n", label, place.has_peak, place.peak_x_px,
               place.peak_y_px, place.local_score);
        for (row = 0; row < place.rows; row++) {
            printf("heat %u ", label);
            for (column = 0; column < place.columns; column++)
                putchar('0' + (int)(9.0f * cells[row * place.columns + column] + 0.5f));
            putchar('\n');
        }
    }
    free(cells);
    return failed("relevance", status);
}

static int infer(ocellus_session *session, const ocellus_frame *frame, size_t labels, int where)
{
    ocellus_result result;
    ocellus_hit *hits = malloc(labels * sizeof *hits);
    uint32_t index;
    int bad;

    if (hits == NULL)
        return 1;
    ocellus_result_init(&result, sizeof result);
    bad = failed("infer", ocellus_session_infer(session, frame, &result, hits, labels));
    for (index = 0; !bad && index < result.hit_count; index++)
        printf("hit %u %.9g %.9g\n", hits[index].label, hits[index].score, hits[index].probability);
    if (!bad)
        printf("result %d %.9g %.9g %u %d %llu\n", result.no_match, result.match_probability,
               result.entropy_bits, result.resolution, result.escalated,
               (unsigned long long)result.cookie);
    for (index = 0; !bad && where && index < result.hit_count; index++)
        bad = print_place(session, hits[index].label);
    free(hits);
    return bad;
}

int main(int argc, char **argv)
{
    ocellus_bundle *bundle = NULL;
    ocellus_runtime *runtime = NULL;
    ocellus_session *session = NULL;
    ocellus_session_options options;
    ocellus_frame frame;
    unsigned char *pixels;
    const char *const *labels;
    size_t size = 0, count;
    uint32_t resolution;
    int where, bad;

    where = argc > 1 && strcmp(argv[1], "--where") == 0;
    argv += where;
    argc -= where;
    if (argc < 7 || strlen(argv[1]) != 4) {
        fprintf(stderr, "label_file [--where] FOURCC WIDTH HEIGHT FILE RESOLUTION LABEL...\n");
        return 2;
    }
    labels = (const char *const *)argv + 6;
    count = (size_t)argc - 6;
    resolution = (uint32_t)strtoul(argv[5], NULL, 10);
    pixels = read_file(argv[4], &size);
    if (pixels == NULL) {
        perror(argv[4]);
        return 1;
    }

    bad = failed("abi", ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR)) ||
          failed("bundle", ocellus_bundle_default(&bundle)) ||
          failed("runtime", ocellus_runtime_new(bundle, NULL, &runtime)) ||
          failed("options", ocellus_session_options_init(&options, sizeof options)) ||
          failed("frame", ocellus_frame_init(&frame, sizeof frame));
    if (!bad) {
        options.relevance = where;
        if (resolution != 0) {
            options.policy = OCELLUS_POLICY_FIXED;
            options.resolution = resolution;
        }
        memcpy(&frame.fourcc, argv[1], 4);
        frame.width = (uint32_t)strtoul(argv[2], NULL, 10);
        frame.height = (uint32_t)strtoul(argv[3], NULL, 10);
        frame.planes[0].data = pixels;
        frame.planes[0].size = size;
        frame.planes[0].stride = row_bytes(argv[1], frame.width);
        frame.cookie = 77;
        bad = failed("session", ocellus_session_new(runtime, &options, &session)) ||
              failed("labels", ocellus_session_set_labels(session, labels, NULL, count)) ||
              infer(session, &frame, count, where);
    }
    ocellus_session_free(session);
    ocellus_runtime_free(runtime);
    ocellus_bundle_free(bundle);
    free(pixels);
    return bad;
}
