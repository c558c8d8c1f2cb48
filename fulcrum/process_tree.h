// The processes below the supervisor: who they are, and how they are ended.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace radix::fulcrum {

// The children of this process, those that only wait to be reaped too.
std::vector<pid_t> Children();

// Kills a process and what it left behind in its group.
void KillGroup(pid_t pid);

// How a process ended, for people, from what wait(2) gives.
std::string DescribeEnd(int wait_status);

// A plugin's environment has `RADIX_PLUGIN=ID`, and so has whatever it starts.
std::string PluginVariable(const std::string& id);

// The id of the plugin that a process came from; empty for none.
std::string PluginOf(pid_t pid);

}  // namespace radix::fulcrum
