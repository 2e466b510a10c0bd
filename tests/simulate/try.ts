import { simulateFleet } from './fleet';
(async()=>{ for (const isShared of [true,false]) for (const replicas of [10000]) { const t=performance.now(); console.log(isShared, replicas, JSON.stringify(await simulateFleet({replicas,isShared,hours:24,lifeMinutes:300,seed:1})), Math.round(performance.now()-t), Math.round(process.memoryUsage().rss/1e6)); } })();
