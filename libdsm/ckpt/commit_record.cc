// SPDX-License-Identifier: Apache-2.0
#include "libdsm/ckpt/commit_record.h"

#include <cerrno>

#include "libdsm/base/check.h"
#include "libdsm/ckpt/store_names.h"
#include "libdsm/os/folder.h"

namespace dsm::ckpt {
namespace {

std::string objection_to(const CommitRecord& record) {
  if (!is_job_name(record.job)) return "the job's name is not one";
  if (record.generation == 0) return "generations count from 1";
  if (record.parts.empty() || record.parts.size() > kMaxNodes) return "the number of nodes is not one";
  if (record.holder.value >= record.parts.size()) return "its holder is not one of the job's nodes";
  return {};
}

}  // namespace

std::vector<std::byte> encode(const CommitRecord& record) {
  DSM_CHECK(objection_to(record).empty());
  CommitHeader header{};
  std::memcpy(header.magic, kCommitMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.header_bytes = sizeof header;
  header.file_bytes = sizeof header + record.job.size() + record.parts.size() * sizeof(CommitEntry) + sizeof(Digest);
  header.generation = record.generation;
  header.epoch = record.epoch;
  header.holder = record.holder.value;
  header.nodes = static_cast<uint16_t>(record.parts.size());
  header.job_bytes = static_cast<uint32_t>(record.job.size());
  ByteWriter out;
  out.put(header);
  out.append(std::as_bytes(std::span(record.job)));
  out.put_all(record.parts);
  return out.seal();
}

Result<CommitRecord> decode_commit(Bytes file) {
  auto content = unseal(file, kCommitMagic);
  if (!content.ok()) return content.error();
  ByteReader in(*content);
  CommitHeader header;
  CommitRecord record;
  const bool complete = in.get(header) && header.header_bytes == sizeof header && header.file_bytes == file.size() &&
                        header.job_bytes <= kMaxJobBytes && in.get_text(record.job, header.job_bytes) &&
                        in.get_all(record.parts, header.nodes) && in.at_end();
  if (!complete) return Error{"is inconsistent: its parts do not have the sizes that its header says", EBADMSG};
  record.generation = header.generation;
  record.epoch = header.epoch;
  record.holder = NodeId{header.holder};
  if (std::string what = objection_to(record); !what.empty()) return Error{"is inconsistent: " + what, EBADMSG};
  return record;
}

Status write_commit(const std::string& root, const CommitRecord& record) {
  auto folder = os::Folder::create(root + "/" + record.job);
  if (!folder.ok()) return folder.error();
  return folder->write_file(commit_name(record.generation, record.holder), encode(record));
}

}  // namespace dsm::ckpt
