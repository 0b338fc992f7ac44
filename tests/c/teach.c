/*
 * A device that is taught: teach FILE LABEL teaches the label by a frame of stripes and keeps it in a file; ask FILE asks
 * a new session, which loads the file, what the frame shows, and prints the label, its examples and its score; forget
 * FILE LABEL takes it away again. Exits with 1 and a message where a call fails.
 */
#include <ocellus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 64 };

static void check(int32_t status, const char *what)
{
    char message[512];

    if (status == OCELLUS_OK)
        return;
    ocellus_last_error(message, sizeof message);
    fprintf(stderr, "%s: %s: %s\n", what, ocellus_status_name(status), message);
    exit(1);
}

static void load(ocellus_session *session, const char *path)
{
    static unsigned char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL)
        return;
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    check(ocellus_session_load_examples(session, bytes, size), "load");
}

static void save(ocellus_session *session, const char *path)
{
    char beside[1024];
    size_t size;
    unsigned char *bytes;
    FILE *file;

    check(ocellus_session_save_examples(session, NULL, 0, &size), "size");
    bytes = malloc(size);
    if (bytes == NULL || (size_t)snprintf(beside, sizeof beside, "%s-new", path) >= sizeof beside)
        exit(1);
    check(ocellus_session_save_examples(session, bytes, size, &size), "save");
    file = fopen(beside, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0 ||
        rename(beside, path) != 0)
        exit(1);
    free(bytes);
}

int main(int argc, char **argv)
{
    static unsigned char pixels[WIDTH * HEIGHT * 3];
    const char *labels[] = {"a cat"};
    ocellus_bundle *bundle = NULL;
    ocellus_runtime *runtime = NULL;
    ocellus_session *session = NULL;
    ocellus_session_options options;
    ocellus_frame frame;
    ocellus_result result;
    ocellus_hit best;
    char text[64];
    uint32_t examples = 0;
    size_t at;

    if (argc < 3)
        return 2;
    for (at = 0; at < sizeof pixels; ++at)
        pixels[at] = (unsigned char)(at / 3 % WIDTH / 8 % 2 * 200 + at % 3 * 20);
    check(ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR), "abi");
    check(ocellus_bundle_default(&bundle), "bundle");
    check(ocellus_runtime_new(bundle, NULL, &runtime), "runtime");
    check(ocellus_session_options_init(&options, sizeof options), "options");
    options.policy = OCELLUS_POLICY_FIXED;
    options.resolution = 160;
    check(ocellus_session_new(runtime, &options, &session), "session");
    check(ocellus_frame_init(&frame, sizeof frame), "frame");
    memcpy(&frame.fourcc, "RGB3", 4);
    frame.width = WIDTH;
    frame.height = HEIGHT;
    frame.planes[0].data = pixels;
    frame.planes[0].size = sizeof pixels;
    frame.planes[0].stride = WIDTH * 3;

    load(session, argv[2]);
    if (strcmp(argv[1], "teach") == 0 && argc == 4) {
        check(ocellus_session_teach(session, argv[3], &frame, &examples), "teach");
        save(session, argv[2]);
        printf("%u\n", examples);
    } else if (strcmp(argv[1], "forget") == 0 && argc == 4) {
        check(ocellus_session_forget(session, argv[3], &examples), "forget");
        save(session, argv[2]);
        printf("%u\n", examples);
    } else {
        check(ocellus_session_set_labels(session, labels, NULL, 1), "labels");
        check(ocellus_result_init(&result, sizeof result), "result");
        check(ocellus_session_infer(session, &frame, &result, &best, 1), "infer");
        check(ocellus_session_label(session, best.label, text, sizeof text, NULL, &examples), "label");
        printf("%s %u %.3f\n", text, examples, best.score);
    }
    check(ocellus_session_free(session), "free");
    check(ocellus_runtime_free(runtime), "free");
    check(ocellus_bundle_free(bundle), "free");
    return 0;
}
