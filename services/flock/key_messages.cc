#include "services/flock/key_messages.h"

#include "services/flock/packet_codec.h"

namespace radix::flock {
namespace {

constexpr std::size_t kKeySize = sizeof(Key);
constexpr std::size_t kSlotSize = 4;

}  // namespace

std::vector<Key> SecondaryTell::Keys() const {
  std::vector<Key> list;
  Reader in(keys);
  while (in.left() > 0) list.push_back(in.ReadKey());
  return list;
}

void Encode(const SecondaryTell& tell, Writer& out) {
  out.U64(tell.epoch);
  out.U32(tell.revision);
  out.U8(tell.settled ? 1 : 0);
  out.Bytes(tell.keys);
}

std::optional<SecondaryTell> DecodeSecondaryTell(Reader& in) {
  SecondaryTell tell;
  tell.epoch = in.U64();
  tell.revision = in.U32();
  tell.settled = in.U8() != 0;
  tell.keys = in.Bytes(in.left());
  const std::size_t size = tell.keys.size();
  if (size == 0 || size % kKeySize != 0 || size > kSecondaryKeysMax * kKeySize ||
      tell.epoch > kEpochMax) {
    return std::nullopt;
  }
  return tell;
}

void Encode(const KeyOrderTell& tell, Writer& out) {
  out.U64(tell.id);
  out.U8(static_cast<std::uint8_t>(tell.order.step));
  out.U32(tell.order.from);
  out.U8(tell.order.force ? 1 : 0);
  out.U32(tell.order.first_slot);
}

std::optional<KeyOrderTell> DecodeKeyOrderTell(Reader& in) {
  KeyOrderTell tell;
  tell.id = in.U64();
  tell.order.step = static_cast<KeyStep>(in.U8());
  tell.order.from = in.U32();
  tell.order.force = in.U8() != 0;
  tell.order.first_slot = in.U32();
  if (tell.order.step > KeyStep::kRemove) return std::nullopt;
  return tell;
}

void Encode(const KeyReportTell& tell, Writer& out) {
  const KeyReport& report = tell.report;
  out.U64(tell.id);
  out.U8(static_cast<std::uint8_t>(report.result));
  out.U64(report.epoch);
  out.U8(static_cast<std::uint8_t>(report.phase));
  for (const std::uint32_t number :
       {report.current, report.previous, report.next, report.members, report.acknowledged}) {
    out.U32(number);
  }
  for (const std::uint32_t slot : report.missing) out.U32(slot);
}

std::optional<KeyReportTell> DecodeKeyReportTell(Reader& in) {
  KeyReportTell tell;
  KeyReport& report = tell.report;
  tell.id = in.U64();
  report.result = static_cast<KeyResult>(in.U8());
  report.epoch = in.U64();
  report.phase = static_cast<RotationPhase>(in.U8());
  for (std::uint32_t* number :
       {&report.current, &report.previous, &report.next, &report.members, &report.acknowledged}) {
    *number = in.U32();
  }
  tell.missing = in.Bytes(in.left());
  const bool valid =
      report.epoch <= kEpochMax && report.result >= KeyResult::kDone &&
      report.result <= KeyResult::kTooEarly && report.phase >= RotationPhase::kUsed &&
      report.phase <= RotationPhase::kInstalled && tell.missing.size() % kSlotSize == 0 &&
      tell.missing.size() <= KeyReport::kMissingMax * kSlotSize;
  if (!valid) return std::nullopt;
  return tell;
}

KeyReport ToReport(const KeyReportTell& tell, const MemberId& leader) {
  KeyReport report = tell.report;
  report.leader = leader;
  Reader in(tell.missing);
  while (in.left() > 0) report.missing.push_back(in.U32());
  return report;
}

}  // namespace radix::flock
