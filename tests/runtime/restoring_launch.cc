// SPDX-License-Identifier: Apache-2.0
// dsm-launch, but for a program that goes on from the process image in DSM_TEST_CHECKPOINT/process. The command on the command line only gives
// the job its name. Stands in an installation in dsm-launch's place, beside restoring_runtime, which puts the pages where they belong.
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "libdsm/runtime/process_image.h"
#include "tools/common/complain.h"
#include "tools/common/exit_codes.h"
#include "tools/dsm-launch/job_controller.h"
#include "tools/dsm-launch/job_hosts.h"

namespace {

dsm::tools::RestoredProgram read_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  dsm::image::View view;
  if (const char* bad = dsm::image::check_process_image(bytes.data(), bytes.size(), &view)) {
    dsm::tools::complain("restoring_launch: {}: {}\n", path, bad);
    exit(dsm::tools::kExitOurs);
  }
  dsm::os::Fd image(memfd_create("image", MFD_CLOEXEC));
  if (write(image.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) exit(dsm::tools::kExitOurs);
  return {view.process->pid, std::max(view.process->pid, view.threads[view.threads.count - 1].tid), std::move(image), /*resumes_output=*/true};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace dsm::tools;
  ParsedOptions parsed = parse_launch_options(argc, argv);
  if (parsed.finished) return parsed.exit_status;
  const auto installation = find_installation();
  const char* folder = getenv("DSM_TEST_CHECKPOINT");
  const auto hosts = place_nodes(parsed.options);
  if (!installation || folder == nullptr || !hosts) return kExitMisuse;
  const Program program = find_command(parsed.options.command);
  JobController controller(parsed.options, installation.value(), program, hosts.value());
  controller.restore(read_image(std::string(folder) + "/process"));
  return controller.run();
}
