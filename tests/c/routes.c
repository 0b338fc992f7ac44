/*
 * Several ways to answer: routes FRAME, where FRAME is 96x64 pixels of RGB in a file, answers it by one of two sessions:
 * one for animals, one for space. Prints the route, the best label, and how each route stood. Exits with 1 and a message
 * where a call fails.
 */
#include <ocellus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 64, ROUTES = 2 };

static const char *names[ROUTES] = {"animals", "space"};
static const char *purposes[ROUTES] = {"an animal", "a rocket launch"};
static const char *labels[ROUTES][2] = {{"a cat", "a dog"}, {"a rocket", "an astronaut"}};

static void check(int32_t status, const char *what)
{
    char message[512];

    if (status == OCELLUS_OK)
        return;
    ocellus_last_error(message, sizeof message);
    fprintf(stderr, "%s: %s: %s\n", what, ocellus_status_name(status), message);
    exit(1);
}

int main(int argc, char **argv)
{
    static unsigned char pixels[WIDTH * HEIGHT * 3];
    ocellus_bundle *bundle = NULL;
    ocellus_runtime *runtime = NULL;
    ocellus_session *sessions[ROUTES];
    ocellus_router *router = NULL;
    ocellus_session_options options;
    ocellus_route routes[ROUTES];
    ocellus_candidate candidates[ROUTES];
    ocellus_choice choice;
    ocellus_frame frame;
    ocellus_result result;
    ocellus_hit best;
    FILE *file;
    unsigned at;

    if (argc != 2 || (file = fopen(argv[1], "rb")) == NULL)
        return 2;
    if (fread(pixels, 1, sizeof pixels, file) != sizeof pixels)
        return 2;
    fclose(file);
    check(ocellus_abi_check(OCELLUS_ABI_MAJOR, OCELLUS_ABI_MINOR), "abi");
    check(ocellus_bundle_default(&bundle), "bundle");
    check(ocellus_runtime_new(bundle, NULL, &runtime), "runtime");
    check(ocellus_session_options_init(&options, sizeof options), "options");
    options.policy = OCELLUS_POLICY_FIXED;
    options.resolution = 112;
    for (at = 0; at < ROUTES; ++at) {
        check(ocellus_session_new(runtime, &options, &sessions[at]), "session");
        check(ocellus_session_set_labels(sessions[at], labels[at], NULL, 2), "labels");
        check(ocellus_route_init(&routes[at], sizeof routes[at]), "route");
        routes[at].name = names[at];
        routes[at].label = purposes[at];
        routes[at].sessions = &sessions[at];
        routes[at].session_count = 1;
        routes[at].latency_threshold_us = 3600u * 1000000u;
    }
    check(ocellus_router_new(runtime, NULL, routes, ROUTES, &router), "router");

    check(ocellus_frame_init(&frame, sizeof frame), "frame");
    memcpy(&frame.fourcc, "RGB3", 4);
    frame.width = WIDTH;
    frame.height = HEIGHT;
    frame.planes[0].data = pixels;
    frame.planes[0].size = sizeof pixels;
    frame.planes[0].stride = WIDTH * 3;
    check(ocellus_result_init(&result, sizeof result), "result");
    check(ocellus_choice_init(&choice, sizeof choice), "choice");
    check(ocellus_router_infer(router, &frame, &result, &best, 1, &choice, candidates, ROUTES),
          "infer");
    printf("%s: %s\n", names[choice.taken], labels[choice.taken][best.label]);
    for (at = 0; at < choice.candidate_count; ++at)
        printf("%s %d %.3f %.3f\n", names[at], (int)candidates[at].skipped,
               candidates[at].semantic_match, candidates[at].score);

    check(ocellus_router_free(router), "free");
    if (ocellus_router_free(router) != OCELLUS_E_HANDLE)
        return 1;
    for (at = 0; at < ROUTES; ++at)
        check(ocellus_session_free(sessions[at]), "free");
    check(ocellus_runtime_free(runtime), "free");
    check(ocellus_bundle_free(bundle), "free");
    return 0;
}
