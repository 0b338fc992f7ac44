/* A plugin of QEMU's user mode that counts guest instructions: in all, and in regions that the guest marks itself.
 *
 *   cc -O2 -shared -fPIC -DAPI=1 -o count.so count.c
 *   qemu-aarch64 -plugin ./count.so,out=FILE -cpu CPU -L ROOT PROGRAM ...
 *
 * A region begins at the guest's close(-77001) and ends at its close(-77002), see runtime/sys/src/mark.rs. FILE gets a
 * line for each, in order, and one at the end of the program:
 *
 *   region 48163221
 *   total 983142210
 *
 * With l1=KIB:WAYS and l2=KIB:WAYS, FILE also gets, before each region's line, what went through a data cache of that kind:
 *
 *   moved 572870 14187264 3145728
 *
 * which are lines that the first level missed, bytes that the second one read from beyond it, and bytes that it wrote there.
 * Lines have 64 bytes, both levels replace the least recently used and allocate on writes, and a line that the first level
 * gives up goes to the second. Addresses are the program's own; nothing is prefetched; threads share both levels.
 *
 * QEMU translates blocks of instructions that run from their first to their last, so the length of each is added when
 * it begins. A system call ends its block: the edges of a region are exact. A block that a signal leaves half way counts
 * whole. Threads are counted together.
 *
 * The few functions of QEMU's plugin interface that are used are declared here: no package has its header. They are the
 * same in every version of the interface so far, whose number has to be given all the same.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef API
#error "give the version of the plugin interface, e.g. -DAPI=1"
#endif

typedef uint64_t plugin_id;
typedef uint32_t plugin_meminfo;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, void (*)(unsigned, plugin_meminfo, uint64_t, void *),
                                             int, int, void *);
extern unsigned qemu_plugin_mem_size_shift(plugin_meminfo);
extern _Bool qemu_plugin_mem_is_store(plugin_meminfo);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = API;

enum { CLOSE_ON_AARCH64 = 57, BEGIN = -77001, END = -77002, NO_REGISTERS = 0, READS_AND_WRITES = 3, LINE = 64, };

static FILE *out;
static uint64_t executed;
static uint64_t begun;

/* A line is its address over LINE, plus one, so that zero is none; the ways of a set lie from the last used to the first. */
struct cache {
    uint64_t *lines;
    unsigned char *dirty;
    size_t sets, ways;
};

static struct cache l1, l2;
static pthread_mutex_t caches = PTHREAD_MUTEX_INITIALIZER;
static uint64_t missed, filled, written;

/* Brings a line to the front of its set. What had to go for it, if anything: *victim, and whether it was written to. */
static int find(struct cache *cache, uint64_t line, int write, uint64_t *victim, int *victim_dirty)
{
    size_t set = line % cache->sets * cache->ways, last = cache->ways - 1, at = 0;
    uint64_t *lines = cache->lines + set;
    unsigned char *dirty = cache->dirty + set;
    while (at < last && lines[at] != line)
        at++;
    int hit = lines[at] == line;
    *victim = hit ? 0 : lines[at];
    *victim_dirty = dirty[at];
    unsigned char now = (hit && dirty[at]) || write;
    memmove(lines + 1, lines, at * sizeof *lines);
    memmove(dirty + 1, dirty, at);
    lines[0] = line;
    dirty[0] = now;
    return hit;
}

static void second_level(uint64_t line, int write)
{
    uint64_t victim;
    int dirty;
    if (!find(&l2, line, write, &victim, &dirty)) {
        /* A line that the first level gives up comes whole. */
        filled += write ? 0 : LINE;
        written += victim && dirty ? LINE : 0;
    }
}

static void touch(uint64_t line, int write)
{
    uint64_t victim;
    int dirty;
    if (find(&l1, line, write, &victim, &dirty))
        return;
    missed++;
    second_level(line, 0);
    if (victim && dirty)
        second_level(victim, 1);
}

static void accesses(unsigned cpu, plugin_meminfo info, uint64_t address, void *data)
{
    (void)cpu, (void)data;
    int write = qemu_plugin_mem_is_store(info);
    uint64_t first = address / LINE, last = (address + (1u << qemu_plugin_mem_size_shift(info)) - 1) / LINE;
    pthread_mutex_lock(&caches);
    touch(first + 1, write);
    if (last != first)
        touch(last + 1, write);
    pthread_mutex_unlock(&caches);
}

/* KIB:WAYS; whether that can be. */
static int is_cache(const char *text, struct cache *cache)
{
    size_t kib, ways;
    if (sscanf(text, "%zu:%zu", &kib, &ways) != 2 || !ways || !kib || kib * 1024 % (LINE * ways))
        return 0;
    cache->ways = ways;
    cache->sets = kib * 1024 / LINE / ways;
    cache->lines = calloc(cache->sets * ways, sizeof *cache->lines);
    cache->dirty = calloc(cache->sets * ways, 1);
    return cache->lines && cache->dirty;
}

static void block_begins(unsigned cpu, void *instructions)
{
    (void)cpu;
    __atomic_fetch_add(&executed, (uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void block_is_translated(plugin_id id, struct qemu_plugin_tb *block)
{
    uintptr_t instructions = qemu_plugin_tb_n_insns(block);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, block_begins, NO_REGISTERS, (void *)instructions);
    for (size_t i = 0; l1.ways && i < instructions; i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), accesses, NO_REGISTERS, READS_AND_WRITES, NULL);
}

static void system_call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                        uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != CLOSE_ON_AARCH64)
        return;
    uint64_t now = __atomic_load_n(&executed, __ATOMIC_RELAXED);
    if ((int32_t)a1 == BEGIN) {
        begun = now;
        missed = filled = written = 0;
    } else if ((int32_t)a1 == END) {
        if (l1.ways)
            fprintf(out, "moved %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", missed, filled, written);
        fprintf(out, "region %" PRIu64 "\n", now - begun);
    }
}

static void program_ends(plugin_id id, void *data)
{
    (void)id, (void)data;
    fprintf(out, "total %" PRIu64 "\n", __atomic_load_n(&executed, __ATOMIC_RELAXED));
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4) && !out)
            out = fopen(argv[i] + 4, "w");
        if ((!strncmp(argv[i], "l1=", 3) && !is_cache(argv[i] + 3, &l1)) ||
            (!strncmp(argv[i], "l2=", 3) && !is_cache(argv[i] + 3, &l2))) {
            fprintf(stderr, "count: expected a cache as KIB:WAYS, got %s\n", argv[i]);
            return -1;
        }
    }
    if (!l1.ways != !l2.ways) {
        fprintf(stderr, "count: give both l1=KIB:WAYS and l2=KIB:WAYS, or none\n");
        return -1;
    }
    if (!out) {
        fprintf(stderr, "count: give a file that can be written: out=FILE\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_is_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    qemu_plugin_register_atexit_cb(id, program_ends, NULL);
    return 0;
}
