// Makes a program of a filter by libseccomp, as OCI runtimes do. Of each line of the input one rule:
// action, call, number of conditions, for each argument, operator, value, second value. The first line is
// architecture and default action. Calls that libseccomp
// does not know, or knows this architecture not to have, are named on standard error.
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	uint32_t arch, action;
	if (scanf("%" SCNu32 "%" SCNu32, &arch, &action) != 2)
		return 1;
	scmp_filter_ctx f = seccomp_init(action);
	if (!f || (arch != seccomp_arch_native() && (seccomp_arch_add(f, arch) || seccomp_arch_remove(f, SCMP_ARCH_NATIVE))))
		return 2;
	char name[64];
	unsigned n;
	while (scanf("%" SCNu32 "%63s%u", &action, name, &n) == 3) {
		struct scmp_arg_cmp args[6];
		for (unsigned i = 0; i < n && i < 6; i++) {
			unsigned arg, op;
			uint64_t a, b;
			if (scanf("%u%u%" SCNu64 "%" SCNu64, &arg, &op, &a, &b) != 4)
				return 3;
			args[i] = (struct scmp_arg_cmp){arg, op, a, b};
		}
		int call = seccomp_syscall_resolve_name(name);
		if (seccomp_syscall_resolve_name_arch(arch, name) < 0) {
			fprintf(stderr, "%s\n", name);
			continue;
		}
		int err = seccomp_rule_add_array(f, action, call, n, args);
		if (err && err != -EDOM) {
			fprintf(stderr, "rule for %s: %d\n", name, err);
			return 4;
		}
	}
	return seccomp_export_bpf(f, STDOUT_FILENO) ? 5 : 0;
}
