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
 * QEMU translates blocks of instructions that run from their first to their last, so the length of each is added when
 * it begins. A system call ends its block: the edges of a region are exact. A block that a signal leaves half way counts
 * whole. Threads are counted together.
 *
 * The few functions of QEMU's plugin interface that are used are declared here: no package has its header. They are the
 * same in every version of the interface so far, whose number has to be given all the same.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef API
#error "give the version of the plugin interface, e.g. -DAPI=1"
#endif

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = API;

enum { CLOSE_ON_AARCH64 = 57, BEGIN = -77001, END = -77002, NO_REGISTERS = 0, };

static FILE *out;
static uint64_t executed;
static uint64_t begun;

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
}

static void system_call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                        uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != CLOSE_ON_AARCH64)
        return;
    uint64_t now = __atomic_load_n(&executed, __ATOMIC_RELAXED);
    if ((int32_t)a1 == BEGIN)
        begun = now;
    else if ((int32_t)a1 == END)
        fprintf(out, "region %" PRIu64 "\n", now - begun);
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
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4) && !out)
            out = fopen(argv[i] + 4, "w");
    if (!out) {
        fprintf(stderr, "count: give a file that can be written: out=FILE\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_is_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, system_call);
    qemu_plugin_register_atexit_cb(id, program_ends, NULL);
    return 0;
}
