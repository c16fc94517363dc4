# SPDX-License-Identifier: BSL-1.0
#
# elixir --name ex@127.0.0.1 --cookie secret call.exs
#
# Calls the server of counter.cpp.

counter = {:counter, :"counter@127.0.0.1"}
IO.puts("ping: #{Node.ping(:"counter@127.0.0.1")}")
GenServer.cast(counter, :reset)
IO.puts("add 5: #{GenServer.call(counter, {:add, 5})}")
IO.puts("get: #{GenServer.call(counter, :get)}")

try do
  GenServer.call({:nobody, :"counter@127.0.0.1"}, :get)
catch
  :exit, {reason, _} -> IO.puts("nobody: #{inspect(reason)}")
end
