/*
 * What goes wrong in firmware: freed handles, handles of another kind, frames that do not fit, threads of no session.
 * Every mistake is a status; this program prints the first one that is not, and its own line, and exits with 1.
 */
#include <ocellus.h>

#include <stdio.h>
#include <string.h>

#define EXPECT(call, wanted)                                                                       \
    do {                                                                                           \
        int32_t got = (call);                                                                      \
        if (got != (wanted)) {                                                                     \
            char message[512];                                                                     \
            ocellus_last_error(message, sizeof message);                                           \
            printf("line %d: %s, expected %s: %s\n", __LINE__, ocellus_status_name(got),           \
                   ocellus_status_name(wanted), message);                                          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void heard(void *context, int32_t level, const char *message)
{
    if (level == OCELLUS_LOG_ERROR && strstr(message, "stride") != NULL)
        ++*(int *)context;
}

int main(void)
{
    static unsigned char pixels[64 * 48 * 3];
    const char *labels[] = {"a cat", "a bus"};
    ocellus_bundle *bundle = NULL;
    ocellus_runtime *runtime = NULL;
    ocellus_session *session = NULL, *dead;
    ocellus_runtime_options options;
    ocellus_frame frame;
    ocellus_result result;
    ocellus_hit hits[2];
    char message[8];
    int errors = 0;

    EXPECT(ocellus_bundle_open("no/such/folder", &bundle), OCELLUS_E_IO);
    EXPECT(bundle == NULL, 1);
    if (ocellus_last_error(message, sizeof message) <= strlen(message) || strlen(message) != 7)
        return 1;
    EXPECT(ocellus_bundle_default(&bundle), OCELLUS_OK);
    EXPECT(ocellus_runtime_options_init(&options, sizeof options), OCELLUS_OK);
    options.log = heard;
    options.log_context = &errors;
    EXPECT(ocellus_runtime_new(bundle, &options, &runtime), OCELLUS_OK);
    EXPECT(ocellus_bundle_free(bundle), OCELLUS_OK);
    EXPECT(ocellus_bundle_free(bundle), OCELLUS_E_HANDLE);
    EXPECT(ocellus_session_new(runtime, NULL, &session), OCELLUS_OK);
    EXPECT(ocellus_session_free((ocellus_session *)runtime), OCELLUS_E_HANDLE);
    EXPECT(ocellus_session_free((ocellus_session *)pixels), OCELLUS_E_HANDLE);

    EXPECT(ocellus_frame_init(&frame, sizeof frame), OCELLUS_OK);
    EXPECT(ocellus_result_init(&result, sizeof result), OCELLUS_OK);
    frame.width = 64;
    frame.height = 48;
    frame.planes[0].data = pixels;
    frame.planes[0].size = sizeof pixels;
    EXPECT(ocellus_session_set_labels(session, labels, NULL, 2), OCELLUS_OK);
    EXPECT(ocellus_session_infer(session, &frame, &result, hits, 2), OCELLUS_E_FRAME_FORMAT);
    memcpy(&frame.fourcc, "RGB3", 4);
    EXPECT(ocellus_session_infer(session, &frame, &result, hits, 2), OCELLUS_E_FRAME_STRIDE);
    EXPECT(errors, 1);
    EXPECT(result.hit_count, 0);
    frame.planes[0].stride = 64 * 3;
    EXPECT(ocellus_session_infer(session, &frame, NULL, hits, 2), OCELLUS_E_NULL);
    EXPECT(ocellus_session_infer(session, &frame, &result, hits, 2), OCELLUS_OK);
    EXPECT(result.hit_count, 2);

    dead = session;
    EXPECT(ocellus_session_free(session), OCELLUS_OK);
    EXPECT(ocellus_session_free(dead), OCELLUS_E_HANDLE);
    EXPECT(ocellus_session_infer(dead, &frame, &result, hits, 2), OCELLUS_E_HANDLE);
    EXPECT(ocellus_session_free(NULL), OCELLUS_OK);
    EXPECT(ocellus_runtime_free(runtime), OCELLUS_OK);
    return 0;
}
